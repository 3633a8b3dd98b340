/** The infrastructure: resources, what flows between them, alarms and outputs. */

import { join } from "node:path";

import * as cdk from "aws-cdk-lib";
import * as dynamodb from "aws-cdk-lib/aws-dynamodb";
import * as lambda from "aws-cdk-lib/aws-lambda";
import * as nodejs from "aws-cdk-lib/aws-lambda-nodejs";
import * as logs from "aws-cdk-lib/aws-logs";
import * as sqs from "aws-cdk-lib/aws-sqs";
import type { Construct } from "constructs";

import { Alarms, hiddenIn, math, metric, waitingIn } from "./alarms.ts";

interface Props extends cdk.StackProps {
  /** Where alarms go that need somebody now; without it the stack has a topic of its own. */
  readonly alarmTopicArn?: string | undefined;
}

export class InternalHandoffStack extends cdk.Stack {
  constructor(scope: Construct, id: string, props: Props = {}) {
    super(scope, id, props);

    const awardFunction = this.lambdaFunction("AwardFunction", {
      name: "award",
      description: "Awards loyalty points for each purchase once",
      timeout: cdk.Duration.seconds(20),
    });
    const awardDeadLetterQueue = this.deadLetterQueue("AwardDeadLetterQueue");
    this.keepFailedEvents("AwardFunctionInvokes", {
      invoked: awardFunction,
      queue: awardDeadLetterQueue,
      retries: 2,
    });

    const awardsTable = new dynamodb.Table(this, "AwardsTable", {
      partitionKey: {
        name: "id",
        type: dynamodb.AttributeType.STRING,
      },
      billingMode: dynamodb.BillingMode.PAY_PER_REQUEST,
      pointInTimeRecoverySpecification: {
        pointInTimeRecoveryEnabled: true,
      },
      deletionProtection: !this.stackName.endsWith("-e2e"), // the stack of the proofs can be deleted
      removalPolicy: cdk.RemovalPolicy.RETAIN,
    });

    // award -> awards
    awardsTable.grant(awardFunction, "dynamodb:GetItem", "dynamodb:PutItem");
    awardFunction.addEnvironment("AWARDS_TABLE_NAME", awardsTable.tableName);

    const alarms = new Alarms(this, props.alarmTopicArn);
    // A message comes there after all its retries, and is deleted after 14 days; new messages set
    // it off, even if older ones remain.
    alarms.page("DeadLettersAlarm", {
      description:
        "Page: Failed messages have come into AwardDeadLetterQueue. First: run make " +
        "dead-letters, then see When a message fails in the README",
      value: math("IF(w1 + h1 > 0 AND FILL(DIFF(w1 + h1), 1) > 0, 1, 0)", {
        w1: waitingIn(awardDeadLetterQueue),
        h1: hiddenIn(awardDeadLetterQueue),
      }),
      periods: 20,
      needed: 1,
      clears: false,
    });
    // Nothing else shows it.
    alarms.page("LostEventsAlarm", {
      description:
        "Page: A failed event could not be kept, and is lost, at AwardFunction. First: check the " +
        "permissions to send to the dead-letter queue",
      value: metric("AWS/Lambda", "DestinationDeliveryFailures", "Sum", {
        FunctionName: awardFunction.functionName,
      }),
    });

    new cdk.CfnOutput(this, "AwardFunctionName", {
      description: "The function that awards loyalty points for each purchase once",
      value: awardFunction.functionName,
    });
    new cdk.CfnOutput(this, "AwardFunctionLogGroupName", {
      value: awardFunction.logGroup.logGroupName,
    });
    new cdk.CfnOutput(this, "AwardDeadLetterQueueUrl", {
      description: "The queue of the events that it could not process",
      value: awardDeadLetterQueue.queueUrl,
    });
    new cdk.CfnOutput(this, "AwardsTableName", {
      description: "The table of the points awarded",
      value: awardsTable.tableName,
    });
    new cdk.CfnOutput(this, "AlarmTopicArn", {
      description: "Where the alarms go that need somebody now",
      value: alarms.topic.topicArn,
    });
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
        POWERTOOLS_SERVICE_NAME: "internal-handoff",
        POWERTOOLS_METRICS_NAMESPACE: "InternalHandoff",
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
