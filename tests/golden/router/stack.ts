/** The infrastructure: resources, what flows between them, alarms and outputs. */

import { join } from "node:path";

import * as cdk from "aws-cdk-lib";
import * as dynamodb from "aws-cdk-lib/aws-dynamodb";
import * as iam from "aws-cdk-lib/aws-iam";
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

export class RouterStack extends cdk.Stack {
  constructor(scope: Construct, id: string, props: Props = {}) {
    super(scope, id, props);

    const routeFunction = this.lambdaFunction("RouteFunction", {
      name: "route",
      description: "Routes each task to the function for its type",
      timeout: cdk.Duration.seconds(10),
    });
    const routeDeadLetterQueue = this.deadLetterQueue("RouteDeadLetterQueue");
    this.keepFailedEvents("RouteFunctionInvokes", {
      invoked: routeFunction,
      queue: routeDeadLetterQueue,
      retries: 2,
    });

    const invoiceFunction = this.lambdaFunction("InvoiceFunction", {
      name: "invoice",
      description: "Writes the invoice of an order once",
      timeout: cdk.Duration.seconds(20),
    });
    const invoiceDeadLetterQueue = this.deadLetterQueue("InvoiceDeadLetterQueue");
    this.keepFailedEvents("InvoiceFunctionInvokes", {
      invoked: invoiceFunction,
      queue: invoiceDeadLetterQueue,
      retries: 2,
    });

    const labelFunction = this.lambdaFunction("LabelFunction", {
      name: "label",
      description: "Makes the shipping label of an order once",
      timeout: cdk.Duration.seconds(20),
    });
    const labelDeadLetterQueue = this.deadLetterQueue("LabelDeadLetterQueue");
    this.keepFailedEvents("LabelFunctionInvokes", {
      invoked: labelFunction,
      queue: labelDeadLetterQueue,
      retries: 2,
    });

    const refundFunction = this.lambdaFunction("RefundFunction", {
      name: "refund",
      description: "Refunds an amount of an order once",
      timeout: cdk.Duration.seconds(20),
    });
    const refundDeadLetterQueue = this.deadLetterQueue("RefundDeadLetterQueue");
    this.keepFailedEvents("RefundFunctionInvokes", {
      invoked: refundFunction,
      queue: refundDeadLetterQueue,
      retries: 2,
    });

    const resultsTable = new dynamodb.Table(this, "ResultsTable", {
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

    // route -> invoice
    iam.Grant.addToPrincipal({
      grantee: routeFunction,
      actions: ["lambda:InvokeFunction"],
      resourceArns: [invoiceFunction.functionArn],
    });
    routeFunction.addEnvironment("INVOICE_FUNCTION_NAME", invoiceFunction.functionName);

    // route -> label
    iam.Grant.addToPrincipal({
      grantee: routeFunction,
      actions: ["lambda:InvokeFunction"],
      resourceArns: [labelFunction.functionArn],
    });
    routeFunction.addEnvironment("LABEL_FUNCTION_NAME", labelFunction.functionName);

    // route -> refund
    iam.Grant.addToPrincipal({
      grantee: routeFunction,
      actions: ["lambda:InvokeFunction"],
      resourceArns: [refundFunction.functionArn],
    });
    routeFunction.addEnvironment("REFUND_FUNCTION_NAME", refundFunction.functionName);

    // invoice -> results
    resultsTable.grant(invoiceFunction, "dynamodb:GetItem", "dynamodb:PutItem");
    invoiceFunction.addEnvironment("RESULTS_TABLE_NAME", resultsTable.tableName);

    // label -> results
    resultsTable.grant(labelFunction, "dynamodb:GetItem", "dynamodb:PutItem");
    labelFunction.addEnvironment("RESULTS_TABLE_NAME", resultsTable.tableName);

    // refund -> results
    resultsTable.grant(refundFunction, "dynamodb:GetItem", "dynamodb:PutItem");
    refundFunction.addEnvironment("RESULTS_TABLE_NAME", resultsTable.tableName);

    const alarms = new Alarms(this, props.alarmTopicArn);
    // A message comes there after all its retries, and is deleted after 14 days; new messages set
    // it off, even if older ones remain.
    alarms.page("DeadLettersAlarm", {
      description:
        "Page: Failed messages have come into RouteDeadLetterQueue, InvoiceDeadLetterQueue, " +
        "LabelDeadLetterQueue and RefundDeadLetterQueue. First: run make dead-letters, then see " +
        "When a message fails in the README",
      value: math(
        "IF(w1 + h1 > 0 AND FILL(DIFF(w1 + h1), 1) > 0, 1, 0) + " +
          "IF(w2 + h2 > 0 AND FILL(DIFF(w2 + h2), 1) > 0, 1, 0) + " +
          "IF(w3 + h3 > 0 AND FILL(DIFF(w3 + h3), 1) > 0, 1, 0) + " +
          "IF(w4 + h4 > 0 AND FILL(DIFF(w4 + h4), 1) > 0, 1, 0)",
        {
          w1: waitingIn(routeDeadLetterQueue),
          h1: hiddenIn(routeDeadLetterQueue),
          w2: waitingIn(invoiceDeadLetterQueue),
          h2: hiddenIn(invoiceDeadLetterQueue),
          w3: waitingIn(labelDeadLetterQueue),
          h3: hiddenIn(labelDeadLetterQueue),
          w4: waitingIn(refundDeadLetterQueue),
          h4: hiddenIn(refundDeadLetterQueue),
        },
      ),
      periods: 20,
      needed: 1,
      clears: false,
    });
    // Nothing else shows it.
    alarms.page("LostEventsAlarm", {
      description:
        "Page: A failed event could not be kept, and is lost, at RouteFunction, InvoiceFunction, " +
        "LabelFunction and RefundFunction. First: check the permissions to send to the " +
        "dead-letter queue",
      value: math("m1 + m2 + m3 + m4", {
        m1: metric("AWS/Lambda", "DestinationDeliveryFailures", "Sum", {
          FunctionName: routeFunction.functionName,
        }),
        m2: metric("AWS/Lambda", "DestinationDeliveryFailures", "Sum", {
          FunctionName: invoiceFunction.functionName,
        }),
        m3: metric("AWS/Lambda", "DestinationDeliveryFailures", "Sum", {
          FunctionName: labelFunction.functionName,
        }),
        m4: metric("AWS/Lambda", "DestinationDeliveryFailures", "Sum", {
          FunctionName: refundFunction.functionName,
        }),
      }),
    });

    new cdk.CfnOutput(this, "RouteFunctionName", {
      description: "The function that routes each task to the function for its type",
      value: routeFunction.functionName,
    });
    new cdk.CfnOutput(this, "RouteFunctionLogGroupName", {
      value: routeFunction.logGroup.logGroupName,
    });
    new cdk.CfnOutput(this, "RouteDeadLetterQueueUrl", {
      description: "The queue of the events that it could not process",
      value: routeDeadLetterQueue.queueUrl,
    });
    new cdk.CfnOutput(this, "InvoiceFunctionName", {
      description: "The function that writes the invoice of an order once",
      value: invoiceFunction.functionName,
    });
    new cdk.CfnOutput(this, "InvoiceFunctionLogGroupName", {
      value: invoiceFunction.logGroup.logGroupName,
    });
    new cdk.CfnOutput(this, "InvoiceDeadLetterQueueUrl", {
      description: "The queue of the events that it could not process",
      value: invoiceDeadLetterQueue.queueUrl,
    });
    new cdk.CfnOutput(this, "LabelFunctionName", {
      description: "The function that makes the shipping label of an order once",
      value: labelFunction.functionName,
    });
    new cdk.CfnOutput(this, "LabelFunctionLogGroupName", {
      value: labelFunction.logGroup.logGroupName,
    });
    new cdk.CfnOutput(this, "LabelDeadLetterQueueUrl", {
      description: "The queue of the events that it could not process",
      value: labelDeadLetterQueue.queueUrl,
    });
    new cdk.CfnOutput(this, "RefundFunctionName", {
      description: "The function that refunds an amount of an order once",
      value: refundFunction.functionName,
    });
    new cdk.CfnOutput(this, "RefundFunctionLogGroupName", {
      value: refundFunction.logGroup.logGroupName,
    });
    new cdk.CfnOutput(this, "RefundDeadLetterQueueUrl", {
      description: "The queue of the events that it could not process",
      value: refundDeadLetterQueue.queueUrl,
    });
    new cdk.CfnOutput(this, "ResultsTableName", {
      description: "The table of the results of the tasks",
      value: resultsTable.tableName,
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
        POWERTOOLS_SERVICE_NAME: "router",
        POWERTOOLS_METRICS_NAMESPACE: "Router",
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
