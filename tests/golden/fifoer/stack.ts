/** The infrastructure: resources, what flows between them, alarms and outputs. */

import { join } from "node:path";

import * as cdk from "aws-cdk-lib";
import * as dynamodb from "aws-cdk-lib/aws-dynamodb";
import * as lambda from "aws-cdk-lib/aws-lambda";
import * as nodejs from "aws-cdk-lib/aws-lambda-nodejs";
import * as logs from "aws-cdk-lib/aws-logs";
import * as sqs from "aws-cdk-lib/aws-sqs";
import type { Construct } from "constructs";

import { Alarms, deletedFrom, hiddenIn, math, oldestIn, waitingIn } from "./alarms.ts";

/** From when on alarms go off: what is normal differs from service to service. */
const THRESHOLDS = {
  /** How long a message may wait, in seconds; 1.5 times the longest normal wait. */
  oldestMessageSeconds: 1500,
};

interface Props extends cdk.StackProps {
  /** Where alarms go that need somebody now; without it the stack has a topic of its own. */
  readonly alarmTopicArn?: string | undefined;
  /** Where alarms go that can wait; without it they go to the same topic. */
  readonly ticketTopicArn?: string | undefined;
  readonly thresholds?: Partial<typeof THRESHOLDS>;
}

export class FifoerStack extends cdk.Stack {
  constructor(scope: Construct, id: string, props: Props = {}) {
    super(scope, id, props);

    const entriesDeadLetterQueue = this.deadLetterQueue("EntriesDeadLetterQueue", {
      fifo: true,
      queueName: `${this.stackName}-entries-dlq.fifo`,
    });
    const entriesQueue = new sqs.Queue(this, "EntriesQueue", {
      // A generated name of a FIFO queue may be too long.
      queueName: `${this.stackName}-entries.fifo`,
      fifo: true,
      encryption: sqs.QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: cdk.Duration.days(4),
      // Six times the function's timeout.
      visibilityTimeout: cdk.Duration.seconds(240),
      deadLetterQueue: {
        queue: entriesDeadLetterQueue,
        // An outage of a day changes no order.
        maxReceiveCount: 360,
      },
    });

    const postFunction = this.lambdaFunction("PostFunction", {
      name: "post",
      description: "Posts each entry to its account",
      timeout: cdk.Duration.seconds(40),
    });

    const ledgerTable = new dynamodb.Table(this, "LedgerTable", {
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

    // entries -> post
    entriesQueue.grant(
      postFunction,
      "sqs:ReceiveMessage",
      "sqs:DeleteMessage",
      "sqs:GetQueueAttributes",
    );
    entriesDeadLetterQueue.grant(postFunction, "sqs:SendMessage");
    postFunction.addEventSourceMapping("EntriesQueue", {
      eventSourceArn: entriesQueue.queueArn,
      batchSize: 1,
      reportBatchItemFailures: true,
      maxConcurrency: 10,
    });
    postFunction.addEnvironment("DEAD_LETTER_QUEUE_URL", entriesDeadLetterQueue.queueUrl);

    // post -> ledger
    ledgerTable.grant(postFunction, "dynamodb:GetItem", "dynamodb:PutItem");
    postFunction.addEnvironment("LEDGER_TABLE_NAME", ledgerTable.tableName);

    const thresholds = { ...THRESHOLDS, ...props.thresholds };
    const alarms = new Alarms(this, props.alarmTopicArn, props.ticketTopicArn);
    // A message comes there after all its retries, and is deleted after 14 days; new messages set
    // it off, even if older ones remain.
    alarms.page("DeadLettersAlarm", {
      description:
        "Page: Failed messages have come into EntriesDeadLetterQueue. First: run make " +
        "dead-letters, then see When a message fails in the README",
      value: math("IF(w1 + h1 > 0 AND FILL(DIFF(w1 + h1), 1) > 0, 1, 0)", {
        w1: waitingIn(entriesDeadLetterQueue),
        h1: hiddenIn(entriesDeadLetterQueue),
      }),
      periods: 20,
      needed: 1,
      clears: false,
    });
    // 3 messages or more of which none is deleted count as if they waited until the queue drops
    // them; in 4 of 4 minutes.
    alarms.page("EntriesQueueAgeAlarm", {
      description:
        "Page: The post function processes no message, or messages wait too long. First: look " +
        "for errors and throttles",
      value: math("IF(deleted == 0 AND waiting + hidden >= 3, 345600, age)", {
        age: oldestIn(entriesQueue),
        deleted: deletedFrom(entriesQueue),
        waiting: waitingIn(entriesQueue),
        hidden: hiddenIn(entriesQueue),
      }),
      threshold: thresholds.oldestMessageSeconds,
      periods: 4,
    });
    // Callers are told by a status, and events are retried; three receives of a message in a row;
    // if no message of a queue is processed, its own alarm goes off.
    alarms.ticket("FunctionErrorsAlarm", {
      description: "Ticket: Invocations of PostFunction fail. First: see their logs",
      value: math("IF(deleted1 == 0 AND waiting1 + hidden1 >= 3, 0, m1)", {
        m1: postFunction.metricErrors(),
        deleted1: deletedFrom(entriesQueue),
        waiting1: waitingIn(entriesQueue),
        hidden1: hiddenIn(entriesQueue),
      }),
      minutes: 5,
      periods: 3,
    });

    new cdk.CfnOutput(this, "EntriesQueueUrl", {
      description: "The queue that holds ledger entries in the order of each account",
      value: entriesQueue.queueUrl,
    });
    new cdk.CfnOutput(this, "EntriesDeadLetterQueueUrl", {
      value: entriesDeadLetterQueue.queueUrl,
    });
    new cdk.CfnOutput(this, "PostFunctionName", {
      description: "The function that posts each entry to its account",
      value: postFunction.functionName,
    });
    new cdk.CfnOutput(this, "PostFunctionLogGroupName", {
      value: postFunction.logGroup.logGroupName,
    });
    new cdk.CfnOutput(this, "LedgerTableName", {
      description: "The table of the accounts and their entries",
      value: ledgerTable.tableName,
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
        POWERTOOLS_SERVICE_NAME: "fifoer",
        POWERTOOLS_METRICS_NAMESPACE: "Fifoer",
        NODE_OPTIONS: "--enable-source-maps",
        AWS_MAX_ATTEMPTS: "2", // of a call: 4 seconds each, 1 second between them
      },
    });
  }

  private deadLetterQueue(id: string, options: sqs.QueueProps = {}): sqs.Queue {
    return new sqs.Queue(this, id, {
      ...options,
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
