/** The infrastructure: resources, what flows between them, alarms and outputs. */

import { join } from "node:path";

import * as cdk from "aws-cdk-lib";
import * as events from "aws-cdk-lib/aws-events";
import * as iam from "aws-cdk-lib/aws-iam";
import * as lambda from "aws-cdk-lib/aws-lambda";
import * as nodejs from "aws-cdk-lib/aws-lambda-nodejs";
import * as logs from "aws-cdk-lib/aws-logs";
import * as s3 from "aws-cdk-lib/aws-s3";
import * as sqs from "aws-cdk-lib/aws-sqs";
import * as sfn from "aws-cdk-lib/aws-stepfunctions";
import type { Construct } from "constructs";

import { Alarms, hiddenIn, math, metric, waitingIn } from "./alarms.ts";

interface Props extends cdk.StackProps {
  /** Where alarms go that need somebody now; without it the stack has a topic of its own. */
  readonly alarmTopicArn?: string | undefined;
  /** Where alarms go that can wait; without it they go to the same topic. */
  readonly ticketTopicArn?: string | undefined;
}

export class FanOutFanInStack extends cdk.Stack {
  constructor(scope: Construct, id: string, props: Props = {}) {
    super(scope, id, props);

    const jobsBucket = new s3.Bucket(this, "JobsBucket", {
      encryption: s3.BucketEncryption.S3_MANAGED,
      blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
      enforceSSL: true,
      lifecycleRules: [{ expiration: cdk.Duration.days(30) }],
    });
    this.notifyEventBridge(jobsBucket);
    const jobsToStartDeadLetterQueue = this.deadLetterQueue("JobsToStartDeadLetterQueue");

    const startFunction = this.lambdaFunction("StartFunction", {
      name: "start",
      description: "Starts the execution of a job that was uploaded",
      timeout: cdk.Duration.seconds(30),
    });
    const startDeadLetterQueue = this.deadLetterQueue("StartDeadLetterQueue");
    this.keepFailedEvents("StartFunctionInvokes", {
      invoked: startFunction,
      queue: startDeadLetterQueue,
      retries: 2,
    });

    const workFunction = this.lambdaFunction("WorkFunction", {
      name: "work",
      description: "Processes a batch of rows",
      timeout: cdk.Duration.seconds(60),
    });

    const combineFunction = this.lambdaFunction("CombineFunction", {
      name: "combine",
      description: "Ends a job with the total of its results",
      timeout: cdk.Duration.seconds(900),
    });

    const describeFunction = this.lambdaFunction("DescribeFunction", {
      name: "describe",
      description: "Returns the status of a job",
      timeout: cdk.Duration.seconds(30),
    });

    const resultsBucket = new s3.Bucket(this, "ResultsBucket", {
      encryption: s3.BucketEncryption.S3_MANAGED,
      blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
      enforceSSL: true,
      lifecycleRules: [{ expiration: cdk.Duration.days(120) }],
    });

    const processStateMachine = new sfn.StateMachine(this, "ProcessStateMachine", {
      definitionBody: sfn.DefinitionBody.fromFile(
        join(import.meta.dirname, "../statemachines/process.asl.json"),
      ),
      definitionSubstitutions: {
        Partition: cdk.Aws.PARTITION,
        JobsBucketName: jobsBucket.bucketName,
        WorkFunctionArn: workFunction.functionArn,
        ResultsBucketName: resultsBucket.bucketName,
        CombineFunctionArn: combineFunction.functionArn,
      },
      tracingEnabled: true,
    });
    // Each part is an execution; in the machine's other policies this would be circular.
    new iam.Policy(this, "ProcessStateMachineStartsParts", {
      roles: [processStateMachine.role],
      statements: [
        new iam.PolicyStatement({
          actions: ["states:StartExecution"],
          resources: [processStateMachine.stateMachineArn],
        }),
        new iam.PolicyStatement({
          actions: ["states:DescribeExecution", "states:StopExecution", "states:RedriveExecution"],
          resources: [
            this.formatArn({
              service: "states",
              resource: "execution",
              resourceName: `${processStateMachine.stateMachineName}/*`,
              arnFormat: cdk.ArnFormat.COLON_RESOURCE_NAME,
            }),
          ],
        }),
        new iam.PolicyStatement({
          actions: ["states:DescribeExecution"],
          resources: [
            this.formatArn({
              service: "states",
              resource: "execution",
              resourceName: `${processStateMachine.stateMachineName}:*`,
              arnFormat: cdk.ArnFormat.COLON_RESOURCE_NAME,
            }),
          ],
        }),
      ],
    });
    const processDeadLetterQueue = this.deadLetterQueue("ProcessDeadLetterQueue");
    const processFailureRule = this.deadLetterRule("ProcessFailureRule", {
      description: "Executions of process that ended in a failure",
      eventPattern: {
        source: ["aws.states"],
        "detail-type": ["Step Functions Execution Status Change"],
        detail: {
          stateMachineArn: [processStateMachine.stateMachineArn],
          status: ["FAILED", "TIMED_OUT", "ABORTED"],
        },
      },
      queue: processDeadLetterQueue,
    });

    // jobs -> start
    const jobsToStartRule = this.rule("JobsBucketToStartFunction", {
      pattern: {
        source: ["aws.s3"],
        "detail-type": ["Object Created"],
        detail: {
          bucket: { name: [jobsBucket.bucketName] },
        },
      },
      target: { id: "start", arn: startFunction.functionArn },
      deadLetters: jobsToStartDeadLetterQueue,
    });
    startFunction.addPermission("JobsBucket", {
      principal: new iam.ServicePrincipal("events.amazonaws.com"),
      sourceArn: jobsToStartRule.attrArn,
    });

    // start -> process
    processStateMachine.grantStartExecution(startFunction);
    iam.Grant.addToPrincipal({
      grantee: startFunction,
      actions: ["states:DescribeExecution"],
      resourceArns: [
        this.formatArn({
          service: "states",
          resource: "execution",
          resourceName: `${processStateMachine.stateMachineName}:*`,
          arnFormat: cdk.ArnFormat.COLON_RESOURCE_NAME,
        }),
      ],
    });
    startFunction.addEnvironment("PROCESS_MACHINE_ARN", processStateMachine.stateMachineArn);

    // process -> jobs
    iam.Grant.addToPrincipal({
      grantee: processStateMachine,
      actions: ["s3:GetObject"],
      resourceArns: [jobsBucket.arnForObjects("*")],
    });

    // process -> work
    iam.Grant.addToPrincipal({
      grantee: processStateMachine,
      actions: ["lambda:InvokeFunction"],
      resourceArns: [workFunction.functionArn],
    });

    // process -> results
    iam.Grant.addToPrincipal({
      grantee: processStateMachine,
      actions: [
        "s3:GetObject",
        "s3:PutObject",
        "s3:ListMultipartUploadParts",
        "s3:AbortMultipartUpload",
      ],
      resourceArns: [resultsBucket.arnForObjects("*")],
    });

    // process -> combine
    iam.Grant.addToPrincipal({
      grantee: processStateMachine,
      actions: ["lambda:InvokeFunction"],
      resourceArns: [combineFunction.functionArn],
    });

    // combine -> results
    iam.Grant.addToPrincipal({
      grantee: combineFunction,
      actions: ["s3:GetObject", "s3:PutObject"],
      resourceArns: [resultsBucket.arnForObjects("*")],
    });
    combineFunction.addEnvironment("RESULTS_BUCKET_NAME", resultsBucket.bucketName);

    // describe -> process
    iam.Grant.addToPrincipal({
      grantee: describeFunction,
      actions: ["states:DescribeExecution", "states:ListMapRuns"],
      resourceArns: [
        this.formatArn({
          service: "states",
          resource: "execution",
          resourceName: `${processStateMachine.stateMachineName}:*`,
          arnFormat: cdk.ArnFormat.COLON_RESOURCE_NAME,
        }),
      ],
    });
    iam.Grant.addToPrincipal({
      grantee: describeFunction,
      actions: ["states:DescribeMapRun"],
      resourceArns: [
        this.formatArn({
          service: "states",
          resource: "mapRun",
          resourceName: `${processStateMachine.stateMachineName}/*`,
          arnFormat: cdk.ArnFormat.COLON_RESOURCE_NAME,
        }),
      ],
    });
    describeFunction.addEnvironment("PROCESS_MACHINE_ARN", processStateMachine.stateMachineArn);

    const alarms = new Alarms(this, props.alarmTopicArn, props.ticketTopicArn);
    // A message comes there after all its retries, and is deleted after 14 days; new messages set
    // it off, even if older ones remain.
    alarms.page("DeadLettersAlarm", {
      description:
        "Page: Failed messages have come into JobsToStartDeadLetterQueue, StartDeadLetterQueue " +
        "and ProcessDeadLetterQueue. First: run make dead-letters, then see When a message fails " +
        "in the README",
      value: math(
        "IF(w1 + h1 > 0 AND FILL(DIFF(w1 + h1), 1) > 0, 1, 0) + " +
          "IF(w2 + h2 > 0 AND FILL(DIFF(w2 + h2), 1) > 0, 1, 0) + " +
          "IF(w3 + h3 > 0 AND FILL(DIFF(w3 + h3), 1) > 0, 1, 0)",
        {
          w1: waitingIn(jobsToStartDeadLetterQueue),
          h1: hiddenIn(jobsToStartDeadLetterQueue),
          w2: waitingIn(startDeadLetterQueue),
          h2: hiddenIn(startDeadLetterQueue),
          w3: waitingIn(processDeadLetterQueue),
          h3: hiddenIn(processDeadLetterQueue),
        },
      ),
      periods: 20,
      needed: 1,
      clears: false,
    });
    // Nothing else shows it.
    alarms.page("LostEventsAlarm", {
      description:
        "Page: A failed event could not be kept, and is lost, at JobsBucketToStartFunction, " +
        "StartFunction and ProcessFailureRule. First: check the permissions to send to the " +
        "dead-letter queue",
      value: math("m1 + m2 + m3", {
        m1: metric("AWS/Events", "InvocationsFailedToBeSentToDlq", "Sum", {
          RuleName: jobsToStartRule.ref,
        }),
        m2: metric("AWS/Lambda", "DestinationDeliveryFailures", "Sum", {
          FunctionName: startFunction.functionName,
        }),
        m3: metric("AWS/Events", "FailedInvocations", "Sum", { RuleName: processFailureRule.ref }),
      }),
    });
    // Callers are told by a status, and events are retried; AWS recommends 3 of 3 minutes.
    alarms.ticket("FunctionErrorsAlarm", {
      description:
        "Ticket: Invocations of WorkFunction and DescribeFunction fail. First: see their logs",
      value: math("m1 + m2", {
        m1: workFunction.metricErrors(),
        m2: describeFunction.metricErrors(),
      }),
      periods: 3,
    });

    new cdk.CfnOutput(this, "JobsBucketName", {
      description: "The bucket of jobs",
      value: jobsBucket.bucketName,
    });
    new cdk.CfnOutput(this, "JobsToStartDeadLetterQueueUrl", {
      description: "The queue of the events that could not be delivered to start",
      value: jobsToStartDeadLetterQueue.queueUrl,
    });
    new cdk.CfnOutput(this, "StartFunctionName", {
      description: "The function that starts the execution of a job that was uploaded",
      value: startFunction.functionName,
    });
    new cdk.CfnOutput(this, "StartFunctionLogGroupName", {
      value: startFunction.logGroup.logGroupName,
    });
    new cdk.CfnOutput(this, "StartDeadLetterQueueUrl", {
      description: "The queue of the events that it could not process",
      value: startDeadLetterQueue.queueUrl,
    });
    new cdk.CfnOutput(this, "ProcessStateMachineArn", {
      description:
        "The state machine that processes a job's rows in batches, and combines the results",
      value: processStateMachine.stateMachineArn,
    });
    new cdk.CfnOutput(this, "ProcessDeadLetterQueueUrl", {
      description: "The queue of its executions that ended in a failure",
      value: processDeadLetterQueue.queueUrl,
    });
    new cdk.CfnOutput(this, "WorkFunctionName", {
      description: "The function that processes a batch of rows",
      value: workFunction.functionName,
    });
    new cdk.CfnOutput(this, "WorkFunctionLogGroupName", {
      value: workFunction.logGroup.logGroupName,
    });
    new cdk.CfnOutput(this, "CombineFunctionName", {
      description: "The function that ends a job with the total of its results",
      value: combineFunction.functionName,
    });
    new cdk.CfnOutput(this, "DescribeFunctionName", {
      description: "The function that returns the status of a job",
      value: describeFunction.functionName,
    });
    new cdk.CfnOutput(this, "ResultsBucketName", {
      description: "The bucket of results",
      value: resultsBucket.bucketName,
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
        POWERTOOLS_SERVICE_NAME: "fan-out-fan-in",
        POWERTOOLS_METRICS_NAMESPACE: "FanOutFanIn",
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

  private deadLetterRule(
    id: string,
    options: { description: string; eventPattern: object; queue: sqs.Queue },
  ): events.CfnRule {
    const { queue, ...what } = options;
    const rule = new events.CfnRule(this, id, {
      ...what,
      targets: [
        {
          id: "dead-letters",
          arn: queue.queueArn,
          retryPolicy: {
            maximumRetryAttempts: 185,
            maximumEventAgeInSeconds: 86400, // 24 hours
          },
        },
      ],
    });
    queue.addToResourcePolicy(
      new iam.PolicyStatement({
        sid: "AllowSender",
        principals: [new iam.ServicePrincipal("events.amazonaws.com")],
        actions: ["sqs:SendMessage"],
        resources: [queue.queueArn],
        conditions: { ArnEquals: { "aws:SourceArn": rule.attrArn } },
      }),
    );
    return rule;
  }

  private logGroup(id: string): logs.LogGroup {
    return new logs.LogGroup(this, id, {
      retention: logs.RetentionDays.ONE_MONTH,
      removalPolicy: cdk.RemovalPolicy.DESTROY,
    });
  }
}
