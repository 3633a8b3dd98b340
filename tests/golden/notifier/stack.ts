/** The infrastructure: resources, what flows between them, alarms and outputs. */

import { join } from "node:path";

import * as cdk from "aws-cdk-lib";
import * as dynamodb from "aws-cdk-lib/aws-dynamodb";
import * as iam from "aws-cdk-lib/aws-iam";
import * as kms from "aws-cdk-lib/aws-kms";
import * as lambda from "aws-cdk-lib/aws-lambda";
import * as nodejs from "aws-cdk-lib/aws-lambda-nodejs";
import * as logs from "aws-cdk-lib/aws-logs";
import * as sns from "aws-cdk-lib/aws-sns";
import * as subscriptions from "aws-cdk-lib/aws-sns-subscriptions";
import * as sqs from "aws-cdk-lib/aws-sqs";
import * as ssm from "aws-cdk-lib/aws-ssm";
import type { Construct } from "constructs";

import { Alarms, deletedFrom, hiddenIn, math, metric, oldestIn, waitingIn } from "./alarms.ts";

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

export class NotifierStack extends cdk.Stack {
  constructor(scope: Construct, id: string, props: Props = {}) {
    super(scope, id, props);

    const publishFunction = this.lambdaFunction("PublishFunction", {
      name: "publish",
      description: "Publishes an event if it matches the schema",
      timeout: cdk.Duration.seconds(10),
    });

    const ordersTopic = new sns.Topic(this, "OrdersTopic", {
      enforceSSL: true,
      masterKey: kms.Alias.fromAliasName(this, "OrdersTopicKey", "alias/aws/sns"),
    });
    // Where other stacks find the topic that they subscribe to.
    const ordersTopicParameter = new ssm.StringParameter(this, "OrdersTopicParameter", {
      parameterName: `/topics/${this.stackName}/orders`,
      stringValue: ordersTopic.topicArn,
    });
    const ordersToInvoicingDeadLetterQueue = this.deadLetterQueue(
      "OrdersToInvoicingDeadLetterQueue",
    );
    const ordersToAuditDeadLetterQueue = this.deadLetterQueue("OrdersToAuditDeadLetterQueue");

    const invoicingDeadLetterQueue = this.deadLetterQueue("InvoicingDeadLetterQueue");
    const invoicingQueue = new sqs.Queue(this, "InvoicingQueue", {
      encryption: sqs.QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: cdk.Duration.days(4),
      // Six times the function's timeout.
      visibilityTimeout: cdk.Duration.seconds(180),
      deadLetterQueue: {
        queue: invoicingDeadLetterQueue,
        // An outage of an hour makes no dead letter.
        maxReceiveCount: 22,
      },
    });

    const invoiceFunction = this.lambdaFunction("InvoiceFunction", {
      name: "invoice",
      description: "Writes the invoice of a placed order once",
      timeout: cdk.Duration.seconds(30),
    });

    const invoicesTable = new dynamodb.Table(this, "InvoicesTable", {
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

    const auditFunction = this.lambdaFunction("AuditFunction", {
      name: "audit",
      description: "Records each change of an order once",
      timeout: cdk.Duration.seconds(20),
    });
    const auditDeadLetterQueue = this.deadLetterQueue("AuditDeadLetterQueue");
    this.keepFailedEvents("AuditFunctionInvokes", {
      invoked: auditFunction,
      queue: auditDeadLetterQueue,
      retries: 2,
    });

    const changesTable = new dynamodb.Table(this, "ChangesTable", {
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

    // publish -> orders
    iam.Grant.addToPrincipal({
      grantee: publishFunction,
      actions: ["sns:Publish"],
      resourceArns: [ordersTopic.topicArn],
    });
    publishFunction.addEnvironment("ORDERS_TOPIC_ARN", ordersTopic.topicArn);

    // orders -> invoicing
    ordersTopic.addSubscription(
      new subscriptions.SqsSubscription(invoicingQueue, {
        rawMessageDelivery: true,
        filterPolicy: {
          type: sns.SubscriptionFilter.stringFilter({
            allowlist: ["placed"],
          }),
          version: sns.SubscriptionFilter.stringFilter({
            allowlist: ["1"],
          }),
        },
        deadLetterQueue: ordersToInvoicingDeadLetterQueue,
      }),
    );

    // orders -> audit
    ordersTopic.addSubscription(
      new subscriptions.LambdaSubscription(auditFunction, {
        filterPolicy: {
          type: sns.SubscriptionFilter.stringFilter({
            allowlist: ["placed", "cancelled"],
          }),
          version: sns.SubscriptionFilter.stringFilter({
            allowlist: ["1"],
          }),
        },
        deadLetterQueue: ordersToAuditDeadLetterQueue,
      }),
    );

    // invoicing -> invoice
    invoicingQueue.grant(
      invoiceFunction,
      "sqs:ReceiveMessage",
      "sqs:DeleteMessage",
      "sqs:GetQueueAttributes",
    );
    invoicingDeadLetterQueue.grant(invoiceFunction, "sqs:SendMessage");
    invoiceFunction.addEventSourceMapping("InvoicingQueue", {
      eventSourceArn: invoicingQueue.queueArn,
      batchSize: 1,
      reportBatchItemFailures: true,
      maxConcurrency: 5,
    });
    invoiceFunction.addEnvironment("DEAD_LETTER_QUEUE_URL", invoicingDeadLetterQueue.queueUrl);

    // invoice -> invoices
    invoicesTable.grant(invoiceFunction, "dynamodb:GetItem", "dynamodb:PutItem");
    invoiceFunction.addEnvironment("INVOICES_TABLE_NAME", invoicesTable.tableName);

    // audit -> changes
    changesTable.grant(auditFunction, "dynamodb:GetItem", "dynamodb:PutItem");
    auditFunction.addEnvironment("CHANGES_TABLE_NAME", changesTable.tableName);

    const thresholds = { ...THRESHOLDS, ...props.thresholds };
    const alarms = new Alarms(this, props.alarmTopicArn, props.ticketTopicArn);
    // A message comes there after all its retries, and is deleted after 14 days; new messages set
    // it off, even if older ones remain.
    alarms.page("DeadLettersAlarm", {
      description:
        "Page: Failed messages have come into OrdersToInvoicingDeadLetterQueue, " +
        "OrdersToAuditDeadLetterQueue, AuditDeadLetterQueue and InvoicingDeadLetterQueue. First: " +
        "run make dead-letters, then see When a message fails in the README",
      value: math(
        "IF(w1 + h1 > 0 AND FILL(DIFF(w1 + h1), 1) > 0, 1, 0) + " +
          "IF(w2 + h2 > 0 AND FILL(DIFF(w2 + h2), 1) > 0, 1, 0) + " +
          "IF(w3 + h3 > 0 AND FILL(DIFF(w3 + h3), 1) > 0, 1, 0) + " +
          "IF(w4 + h4 > 0 AND FILL(DIFF(w4 + h4), 1) > 0, 1, 0)",
        {
          w1: waitingIn(ordersToInvoicingDeadLetterQueue),
          h1: hiddenIn(ordersToInvoicingDeadLetterQueue),
          w2: waitingIn(ordersToAuditDeadLetterQueue),
          h2: hiddenIn(ordersToAuditDeadLetterQueue),
          w3: waitingIn(auditDeadLetterQueue),
          h3: hiddenIn(auditDeadLetterQueue),
          w4: waitingIn(invoicingDeadLetterQueue),
          h4: hiddenIn(invoicingDeadLetterQueue),
        },
      ),
      periods: 20,
      needed: 1,
      clears: false,
    });
    // Nothing else shows it.
    alarms.page("LostEventsAlarm", {
      description:
        "Page: A failed event could not be kept, and is lost, at OrdersTopic and AuditFunction. " +
        "First: check the permissions to send to the dead-letter queue",
      value: math("m1 + m2", {
        m1: metric("AWS/SNS", "NumberOfNotificationsFailedToRedriveToDlq", "Sum", {
          TopicName: ordersTopic.topicName,
        }),
        m2: metric("AWS/Lambda", "DestinationDeliveryFailures", "Sum", {
          FunctionName: auditFunction.functionName,
        }),
      }),
    });
    // 3 messages or more of which none is deleted count as if they waited until the queue drops
    // them; in 4 of 4 minutes.
    alarms.page("InvoicingQueueAgeAlarm", {
      description:
        "Page: The invoice function processes no message, or messages wait too long. First: look " +
        "for errors and throttles",
      value: math("IF(deleted == 0 AND waiting + hidden >= 3, 345600, age)", {
        age: oldestIn(invoicingQueue),
        deleted: deletedFrom(invoicingQueue),
        waiting: waitingIn(invoicingQueue),
        hidden: hiddenIn(invoicingQueue),
      }),
      threshold: thresholds.oldestMessageSeconds,
      periods: 4,
    });
    // Callers are told by a status, and events are retried; three receives of a message in a row;
    // if no message of a queue is processed, its own alarm goes off.
    alarms.ticket("FunctionErrorsAlarm", {
      description:
        "Ticket: Invocations of PublishFunction and InvoiceFunction fail. First: see their logs",
      value: math("m1 + IF(deleted2 == 0 AND waiting2 + hidden2 >= 3, 0, m2)", {
        m1: publishFunction.metricErrors(),
        m2: invoiceFunction.metricErrors(),
        deleted2: deletedFrom(invoicingQueue),
        waiting2: waitingIn(invoicingQueue),
        hidden2: hiddenIn(invoicingQueue),
      }),
      minutes: 4,
      periods: 3,
    });

    new cdk.CfnOutput(this, "PublishFunctionName", {
      description: "The function that publishes an event if it matches the schema",
      value: publishFunction.functionName,
    });
    new cdk.CfnOutput(this, "OrdersTopicArn", {
      description: "The topic of order events",
      value: ordersTopic.topicArn,
    });
    new cdk.CfnOutput(this, "OrdersTopicParameterName", {
      description: "The parameter that holds its ARN",
      value: ordersTopicParameter.parameterName,
    });
    new cdk.CfnOutput(this, "OrdersToInvoicingDeadLetterQueueUrl", {
      description: "The queue of the messages that could not be delivered to invoicing",
      value: ordersToInvoicingDeadLetterQueue.queueUrl,
    });
    new cdk.CfnOutput(this, "OrdersToAuditDeadLetterQueueUrl", {
      description: "The queue of the messages that could not be delivered to audit",
      value: ordersToAuditDeadLetterQueue.queueUrl,
    });
    new cdk.CfnOutput(this, "InvoicingQueueUrl", {
      description: "The queue that holds events of placed orders until they are invoiced",
      value: invoicingQueue.queueUrl,
    });
    new cdk.CfnOutput(this, "InvoicingDeadLetterQueueUrl", {
      value: invoicingDeadLetterQueue.queueUrl,
    });
    new cdk.CfnOutput(this, "InvoiceFunctionName", {
      description: "The function that writes the invoice of a placed order once",
      value: invoiceFunction.functionName,
    });
    new cdk.CfnOutput(this, "InvoiceFunctionLogGroupName", {
      value: invoiceFunction.logGroup.logGroupName,
    });
    new cdk.CfnOutput(this, "InvoicesTableName", {
      description: "The table of the invoices",
      value: invoicesTable.tableName,
    });
    new cdk.CfnOutput(this, "AuditFunctionName", {
      description: "The function that records each change of an order once",
      value: auditFunction.functionName,
    });
    new cdk.CfnOutput(this, "AuditFunctionLogGroupName", {
      value: auditFunction.logGroup.logGroupName,
    });
    new cdk.CfnOutput(this, "AuditDeadLetterQueueUrl", {
      description: "The queue of the events that it could not process",
      value: auditDeadLetterQueue.queueUrl,
    });
    new cdk.CfnOutput(this, "ChangesTableName", {
      description: "The table of the changes of orders",
      value: changesTable.tableName,
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
        POWERTOOLS_SERVICE_NAME: "notifier",
        POWERTOOLS_METRICS_NAMESPACE: "Notifier",
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
