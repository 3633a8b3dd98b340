/** The infrastructure: resources, what flows between them, alarms and outputs. */

import { join } from "node:path";

import * as cdk from "aws-cdk-lib";
import * as events from "aws-cdk-lib/aws-events";
import * as iam from "aws-cdk-lib/aws-iam";
import * as kms from "aws-cdk-lib/aws-kms";
import * as lambda from "aws-cdk-lib/aws-lambda";
import * as nodejs from "aws-cdk-lib/aws-lambda-nodejs";
import * as logs from "aws-cdk-lib/aws-logs";
import * as s3 from "aws-cdk-lib/aws-s3";
import * as sns from "aws-cdk-lib/aws-sns";
import * as sqs from "aws-cdk-lib/aws-sqs";
import * as ssm from "aws-cdk-lib/aws-ssm";
import type { Construct } from "constructs";

import { Alarms, hiddenIn, math, metric, waitingIn } from "./alarms.ts";

interface Props extends cdk.StackProps {
  /** Where alarms go that need somebody now; without it the stack has a topic of its own. */
  readonly alarmTopicArn?: string | undefined;
}

export class DistributedTriggerStack extends cdk.Stack {
  constructor(scope: Construct, id: string, props: Props = {}) {
    super(scope, id, props);

    const incomingBucket = new s3.Bucket(this, "IncomingBucket", {
      encryption: s3.BucketEncryption.S3_MANAGED,
      blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
      enforceSSL: true,
      lifecycleRules: [{ expiration: cdk.Duration.days(30) }],
    });
    this.notifyEventBridge(incomingBucket);
    const incomingToTriggerDeadLetterQueue = this.deadLetterQueue(
      "IncomingToTriggerDeadLetterQueue",
    );

    const triggerFunction = this.lambdaFunction("TriggerFunction", {
      name: "trigger",
      description: "Publishes each upload to the topic",
      timeout: cdk.Duration.seconds(10),
    });
    const triggerDeadLetterQueue = this.deadLetterQueue("TriggerDeadLetterQueue");
    this.keepFailedEvents("TriggerFunctionInvokes", {
      invoked: triggerFunction,
      queue: triggerDeadLetterQueue,
      retries: 2,
    });

    const uploadsTopic = new sns.Topic(this, "UploadsTopic", {
      enforceSSL: true,
      masterKey: kms.Alias.fromAliasName(this, "UploadsTopicKey", "alias/aws/sns"),
    });
    // Where other stacks find the topic that they subscribe to.
    const uploadsTopicParameter = new ssm.StringParameter(this, "UploadsTopicParameter", {
      parameterName: `/topics/${this.stackName}/uploads`,
      stringValue: uploadsTopic.topicArn,
    });

    // incoming -> trigger
    const incomingToTriggerRule = this.rule("IncomingBucketToTriggerFunction", {
      pattern: {
        source: ["aws.s3"],
        "detail-type": ["Object Created"],
        detail: {
          bucket: { name: [incomingBucket.bucketName] },
          object: { key: [{ prefix: "uploads/" }] },
        },
      },
      target: { id: "trigger", arn: triggerFunction.functionArn },
      deadLetters: incomingToTriggerDeadLetterQueue,
    });
    triggerFunction.addPermission("IncomingBucket", {
      principal: new iam.ServicePrincipal("events.amazonaws.com"),
      sourceArn: incomingToTriggerRule.attrArn,
    });

    // trigger -> uploads
    iam.Grant.addToPrincipal({
      grantee: triggerFunction,
      actions: ["sns:Publish"],
      resourceArns: [uploadsTopic.topicArn],
    });
    triggerFunction.addEnvironment("UPLOADS_TOPIC_ARN", uploadsTopic.topicArn);

    const alarms = new Alarms(this, props.alarmTopicArn);
    // A message comes there after all its retries, and is deleted after 14 days; new messages set
    // it off, even if older ones remain.
    alarms.page("DeadLettersAlarm", {
      description:
        "Page: Failed messages have come into IncomingToTriggerDeadLetterQueue and " +
        "TriggerDeadLetterQueue. First: run make dead-letters, then see When a message fails in " +
        "the README",
      value: math(
        "IF(w1 + h1 > 0 AND FILL(DIFF(w1 + h1), 1) > 0, 1, 0) + " +
          "IF(w2 + h2 > 0 AND FILL(DIFF(w2 + h2), 1) > 0, 1, 0)",
        {
          w1: waitingIn(incomingToTriggerDeadLetterQueue),
          h1: hiddenIn(incomingToTriggerDeadLetterQueue),
          w2: waitingIn(triggerDeadLetterQueue),
          h2: hiddenIn(triggerDeadLetterQueue),
        },
      ),
      periods: 20,
      needed: 1,
      clears: false,
    });
    // Nothing else shows it.
    alarms.page("LostEventsAlarm", {
      description:
        "Page: A failed event could not be kept, and is lost, at IncomingBucketToTriggerFunction " +
        "and TriggerFunction. First: check the permissions to send to the dead-letter queue",
      value: math("m1 + m2", {
        m1: metric("AWS/Events", "InvocationsFailedToBeSentToDlq", "Sum", {
          RuleName: incomingToTriggerRule.ref,
        }),
        m2: metric("AWS/Lambda", "DestinationDeliveryFailures", "Sum", {
          FunctionName: triggerFunction.functionName,
        }),
      }),
    });

    new cdk.CfnOutput(this, "IncomingBucketName", {
      description: "The bucket of incoming files",
      value: incomingBucket.bucketName,
    });
    new cdk.CfnOutput(this, "IncomingToTriggerDeadLetterQueueUrl", {
      description: "The queue of the events that could not be delivered to trigger",
      value: incomingToTriggerDeadLetterQueue.queueUrl,
    });
    new cdk.CfnOutput(this, "TriggerFunctionName", {
      description: "The function that publishes each upload to the topic",
      value: triggerFunction.functionName,
    });
    new cdk.CfnOutput(this, "TriggerFunctionLogGroupName", {
      value: triggerFunction.logGroup.logGroupName,
    });
    new cdk.CfnOutput(this, "TriggerDeadLetterQueueUrl", {
      description: "The queue of the events that it could not process",
      value: triggerDeadLetterQueue.queueUrl,
    });
    new cdk.CfnOutput(this, "UploadsTopicArn", {
      description: "The topic of uploads",
      value: uploadsTopic.topicArn,
    });
    new cdk.CfnOutput(this, "UploadsTopicParameterName", {
      description: "The parameter that holds its ARN",
      value: uploadsTopicParameter.parameterName,
    });
    new cdk.CfnOutput(this, "AlarmTopicArn", {
      description: "Where the alarms go that need somebody now",
      value: alarms.topic.topicArn,
    });
  }

  private notifyEventBridge(bucket: s3.Bucket): void {
    // As an option of the bucket, CDK would set it by a function that may change every bucket.
    const resource = bucket.node.defaultChild as s3.CfnBucket;
    resource.notificationConfiguration = {
      eventBridgeConfiguration: { eventBridgeEnabled: true },
    };
  }

  private lambdaFunction(
    id: string,
    options: lambda.FunctionOptions & { name: string },
  ): lambda.Function {
    const { name, ...props } = options;
    return new nodejs.NodejsFunction(this, id, {
      ...props,
      entry: join(import.meta.dirname, "../src/handlers", `${name}.ts`),
      bundling: {
        // ES modules, so that esbuild drops unused code.
        mainFields: ["module", "main"],
        // The version that was tested, not the one in Lambda's runtime.
        bundleAwsSDK: true,
        sourceMap: true,
        sourcesContent: false, // names and lines are enough for a stack trace
      },
      runtime: lambda.Runtime.NODEJS_24_X,
      architecture: lambda.Architecture.ARM_64,
      memorySize: 256,
      tracing: lambda.Tracing.ACTIVE,
      loggingFormat: lambda.LoggingFormat.JSON,
      logGroup: this.logGroup(`${id}LogGroup`),
      environment: {
        POWERTOOLS_SERVICE_NAME: "distributed-trigger",
        POWERTOOLS_METRICS_NAMESPACE: "DistributedTrigger",
        NODE_OPTIONS: "--enable-source-maps",
        AWS_MAX_ATTEMPTS: "2", // of a call: 4 seconds each, 1 second between them
      },
    });
  }

  private keepFailedEvents(
    id: string,
    options: { invoked: lambda.Function; queue: sqs.Queue; retries: number },
  ): void {
    const { invoked, queue, retries } = options;
    queue.grant(invoked, "sqs:SendMessage");
    new lambda.CfnEventInvokeConfig(this, id, {
      functionName: invoked.functionName,
      qualifier: "$LATEST",
      maximumRetryAttempts: retries,
      maximumEventAgeInSeconds: 21600, // 6 hours
      destinationConfig: { onFailure: { destination: queue.queueArn } },
    });
  }

  private rule(
    id: string,
    options: {
      pattern: object;
      target: { id: string; arn: string };
      deadLetters: sqs.Queue;
    },
  ): events.CfnRule {
    const rule = new events.CfnRule(this, id, {
      eventPattern: options.pattern,
      targets: [
        {
          ...options.target,
          retryPolicy: {
            maximumRetryAttempts: 185,
            maximumEventAgeInSeconds: 86400, // 24 hours
          },
          deadLetterConfig: { arn: options.deadLetters.queueArn },
        },
      ],
    });
    this.allowSending(rule, options.deadLetters);
    return rule;
  }

  private allowSending(rule: events.CfnRule, queue: sqs.Queue): void {
    queue.addToResourcePolicy(
      new iam.PolicyStatement({
        sid: "AllowSender",
        principals: [new iam.ServicePrincipal("events.amazonaws.com")],
        actions: ["sqs:SendMessage"],
        resources: [queue.queueArn],
        conditions: { ArnEquals: { "aws:SourceArn": rule.attrArn } },
      }),
    );
  }

  private deadLetterQueue(id: string): sqs.Queue {
    return new sqs.Queue(this, id, {
      encryption: sqs.QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: cdk.Duration.days(14),
      // The default, which landing zones may require.
      redriveAllowPolicy: { redrivePermission: sqs.RedrivePermission.ALLOW_ALL },
    });
  }

  private logGroup(id: string): logs.LogGroup {
    return new logs.LogGroup(this, id, {
      retention: logs.RetentionDays.ONE_MONTH,
      removalPolicy: cdk.RemovalPolicy.DESTROY,
    });
  }
}
