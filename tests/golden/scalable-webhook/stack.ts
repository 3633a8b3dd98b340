/** The infrastructure: resources, what flows between them, alarms and outputs. */

import { join } from "node:path";

import * as cdk from "aws-cdk-lib";
import * as apigatewayv2 from "aws-cdk-lib/aws-apigatewayv2";
import * as integrations from "aws-cdk-lib/aws-apigatewayv2-integrations";
import * as dynamodb from "aws-cdk-lib/aws-dynamodb";
import * as iam from "aws-cdk-lib/aws-iam";
import * as lambda from "aws-cdk-lib/aws-lambda";
import * as nodejs from "aws-cdk-lib/aws-lambda-nodejs";
import * as logs from "aws-cdk-lib/aws-logs";
import * as secretsmanager from "aws-cdk-lib/aws-secretsmanager";
import * as sqs from "aws-cdk-lib/aws-sqs";
import type { Construct } from "constructs";

import { Alarms, deletedFrom, hiddenIn, math, metric, oldestIn, waitingIn } from "./alarms.ts";

/** From when on alarms go off: what is normal differs from service to service. */
const THRESHOLDS = {
  /** Which share of the calls may fail, in percent; AWS recommends 5. */
  errorPercent: 5,
  /** How long 90 percent of the responses may take, in milliseconds; AWS recommends 2500. */
  latencyMilliseconds: 2500,
  /** How long a message may wait, in seconds; 1.5 times the longest normal wait. */
  oldestMessageSeconds: 1500,
  /** Which share of the requests may be refused, in percent, before it looks like an error of ours. */
  refusedPercent: 50,
};

interface Props extends cdk.StackProps {
  /** Where alarms go that need somebody now; without it the stack has a topic of its own. */
  readonly alarmTopicArn?: string | undefined;
  /** Where alarms go that can wait; without it they go to the same topic. */
  readonly ticketTopicArn?: string | undefined;
  readonly thresholds?: Partial<typeof THRESHOLDS>;
}

export class ScalableWebhookStack extends cdk.Stack {
  constructor(scope: Construct, id: string, props: Props = {}) {
    super(scope, id, props);

    const api = new apigatewayv2.HttpApi(this, "Api", {
      apiName: this.stackName,
      createDefaultStage: false,
    });
    const apiLogGroup = this.logGroup("ApiLogGroup", `/aws/vendedlogs/apis/${this.stackName}-api`);
    new apigatewayv2.CfnStage(this, "ApiStage", {
      apiId: api.apiId,
      stageName: "$default",
      autoDeploy: true,
      defaultRouteSettings: {
        throttlingRateLimit: 500,
        throttlingBurstLimit: 1000,
      },
      accessLogSettings: {
        destinationArn: apiLogGroup.logGroupArn,
        format: this.toJsonString({
          requestId: "$context.requestId",
          time: "$context.requestTime",
          route: "$context.routeKey",
          status: "$context.status",
          latency: "$context.responseLatency",
          error: "$context.error.message",
          integrationRequestId: "$context.awsEndpointRequestId",
          sourceIp: "$context.identity.sourceIp",
          integrationError: "$context.integrationErrorMessage",
          userAgent: "$context.identity.userAgent",
        }),
      },
    });

    const receiveFunction = this.lambdaFunction("ReceiveFunction", {
      name: "receive",
      description: "Checks the signature, enqueues the delivery, returns 202",
      timeout: cdk.Duration.seconds(20),
    });

    const signingSecret = new secretsmanager.Secret(this, "SigningSecret", {
      description: "The key that sender and service share",
      generateSecretString: {
        passwordLength: 32,
        excludePunctuation: true,
      },
    });

    const deliveriesDeadLetterQueue = this.deadLetterQueue("DeliveriesDeadLetterQueue");
    const deliveriesQueue = new sqs.Queue(this, "DeliveriesQueue", {
      encryption: sqs.QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: cdk.Duration.days(4),
      // Six times the function's timeout.
      visibilityTimeout: cdk.Duration.seconds(180),
      deadLetterQueue: {
        queue: deliveriesDeadLetterQueue,
        // An outage of an hour makes no dead letter.
        maxReceiveCount: 22,
      },
    });

    const processFunction = this.lambdaFunction("ProcessFunction", {
      name: "process",
      description: "Stores each event once",
      timeout: cdk.Duration.seconds(30),
    });

    const eventsTable = new dynamodb.Table(this, "EventsTable", {
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

    // api -> receive
    api.addRoutes({
      path: "/webhooks",
      methods: [apigatewayv2.HttpMethod.POST],
      integration: new integrations.HttpLambdaIntegration(
        "ReceiveFunctionIntegration",
        receiveFunction,
      ),
    });

    // receive -> signing-secret
    iam.Grant.addToPrincipal({
      grantee: receiveFunction,
      actions: ["secretsmanager:GetSecretValue"],
      resourceArns: [signingSecret.secretArn],
    });
    receiveFunction.addEnvironment("SIGNING_SECRET_ARN", signingSecret.secretArn);

    // receive -> deliveries
    deliveriesQueue.grant(receiveFunction, "sqs:SendMessage");
    receiveFunction.addEnvironment("DELIVERIES_QUEUE_URL", deliveriesQueue.queueUrl);

    // deliveries -> process
    deliveriesQueue.grant(
      processFunction,
      "sqs:ReceiveMessage",
      "sqs:DeleteMessage",
      "sqs:GetQueueAttributes",
    );
    deliveriesDeadLetterQueue.grant(processFunction, "sqs:SendMessage");
    processFunction.addEventSourceMapping("DeliveriesQueue", {
      eventSourceArn: deliveriesQueue.queueArn,
      batchSize: 1,
      reportBatchItemFailures: true,
      maxConcurrency: 2,
    });
    processFunction.addEnvironment("DEAD_LETTER_QUEUE_URL", deliveriesDeadLetterQueue.queueUrl);

    // process -> events
    eventsTable.grant(processFunction, "dynamodb:GetItem", "dynamodb:PutItem");
    processFunction.addEnvironment("EVENTS_TABLE_NAME", eventsTable.tableName);

    const thresholds = { ...THRESHOLDS, ...props.thresholds };
    const alarms = new Alarms(this, props.alarmTopicArn, props.ticketTopicArn);
    // A message comes there after all its retries, and is deleted after 14 days; new messages set
    // it off, even if older ones remain.
    alarms.page("DeadLettersAlarm", {
      description:
        "Page: Failed messages have come into DeliveriesDeadLetterQueue. First: run make " +
        "dead-letters, then see When a message fails in the README",
      value: math("IF(w1 + h1 > 0 AND FILL(DIFF(w1 + h1), 1) > 0, 1, 0)", {
        w1: waitingIn(deliveriesDeadLetterQueue),
        h1: hiddenIn(deliveriesDeadLetterQueue),
      }),
      periods: 20,
      needed: 1,
      clears: false,
    });
    // A share in 3 of 15 minutes, each with at least 9 calls: after three minutes of an outage, and
    // also where only each fourth minute is bad.
    alarms.page("ApiErrorsAlarm", {
      description:
        "Page: The API answers too many requests with a 5xx status. First: see its access log, " +
        "then the logs of its functions",
      value: math("IF(calls >= 9, 100 * failed / calls, 0)", {
        calls: metric("AWS/ApiGateway", "Count", "Sum", { ApiId: api.apiId }),
        failed: metric("AWS/ApiGateway", "5xx", "Sum", { ApiId: api.apiId }),
      }),
      threshold: thresholds.errorPercent,
      periods: 15,
      needed: 3,
    });
    // Fewer than 540 calls in an hour are no rate by the minute: three of them have failed, and a
    // quarter or more.
    alarms.page("ApiQuietErrorsAlarm", {
      description:
        "Page: Three or more of the few requests of an hour got a 5xx status. First: see its " +
        "access log, then the logs of its functions",
      value: math("IF(calls < 540 AND failed >= 3 AND 4 * failed >= calls, 1, 0)", {
        calls: metric("AWS/ApiGateway", "Count", "Sum", { ApiId: api.apiId }),
        failed: metric("AWS/ApiGateway", "5xx", "Sum", { ApiId: api.apiId }),
      }),
      minutes: 60,
    });
    // AWS recommends the 90th percentile in 5 of 5 minutes.
    alarms.ticket("ApiLatencyAlarm", {
      description:
        "Ticket: The API is slow. First: compare its latency with the durations of its functions",
      value: metric("AWS/ApiGateway", "Latency", "p90", { ApiId: api.apiId }),
      threshold: thresholds.latencyMilliseconds,
      periods: 5,
    });
    // A share of at least 20 requests in five minutes, three times in a row: anyone can send one
    // that is refused.
    alarms.ticket("ReceiveFunctionRefusalsAlarm", {
      description:
        "Ticket: ReceiveFunction refuses most requests. First: compare the secret with the " +
        "sender's: one of the two has changed",
      value: math("IF(requests >= 20, 100 * refused / requests, 0)", {
        requests: receiveFunction.metricInvocations(),
        refused: metric("ScalableWebhook", "RefusedDeliveries", "Sum", {
          FunctionName: receiveFunction.functionName,
          service: "scalable-webhook",
        }),
      }),
      threshold: thresholds.refusedPercent,
      minutes: 5,
      periods: 3,
    });
    // A sender sends it in no other form, so each is lost; an hour of them is one ticket.
    alarms.ticket("ReceiveFunctionSignedRefusalsAlarm", {
      description:
        "Ticket: ReceiveFunction refuses what its sender has signed. First: see its log for the " +
        "reason and the id, and have the sender send it again",
      value: metric("ScalableWebhook", "RefusedSignedDeliveries", "Sum", {
        FunctionName: receiveFunction.functionName,
        service: "scalable-webhook",
      }),
      periods: 60,
      needed: 1,
    });
    // 3 messages or more of which none is deleted count as if they waited until the queue drops
    // them; in 4 of 4 minutes.
    alarms.page("DeliveriesQueueAgeAlarm", {
      description:
        "Page: The process function processes no message, or messages wait too long. First: look " +
        "for errors and throttles",
      value: math("IF(deleted == 0 AND waiting + hidden >= 3, 345600, age)", {
        age: oldestIn(deliveriesQueue),
        deleted: deletedFrom(deliveriesQueue),
        waiting: waitingIn(deliveriesQueue),
        hidden: hiddenIn(deliveriesQueue),
      }),
      threshold: thresholds.oldestMessageSeconds,
      periods: 4,
    });
    // Callers are told by a status, and events are retried; three receives of a message in a row;
    // if no message of a queue is processed, its own alarm goes off.
    alarms.ticket("FunctionErrorsAlarm", {
      description:
        "Ticket: Invocations of ReceiveFunction and ProcessFunction fail. First: see their logs",
      value: math(
        `IF(100 * failed > IF(calls < 36, 24, ${String(thresholds.errorPercent)}) * calls, ` +
          "0, m1) + IF(deleted2 == 0 AND waiting2 + hidden2 >= 3, 0, m2)",
        {
          calls: metric("AWS/ApiGateway", "Count", "Sum", { ApiId: api.apiId }),
          failed: metric("AWS/ApiGateway", "5xx", "Sum", { ApiId: api.apiId }),
          m1: receiveFunction.metricErrors(),
          m2: processFunction.metricErrors(),
          deleted2: deletedFrom(deliveriesQueue),
          waiting2: waitingIn(deliveriesQueue),
          hidden2: hiddenIn(deliveriesQueue),
        },
      ),
      minutes: 4,
      periods: 3,
    });

    new cdk.CfnOutput(this, "ApiUrl", {
      description: "The address of the API",
      value: api.apiEndpoint,
    });
    new cdk.CfnOutput(this, "ReceiveFunctionName", {
      description: "The function that checks the signature, enqueues the delivery, returns 202",
      value: receiveFunction.functionName,
    });
    new cdk.CfnOutput(this, "ReceiveFunctionLogGroupName", {
      value: receiveFunction.logGroup.logGroupName,
    });
    new cdk.CfnOutput(this, "SigningSecretArn", {
      description: "The key that sender and service share",
      value: signingSecret.secretArn,
    });
    new cdk.CfnOutput(this, "DeliveriesQueueUrl", {
      description: "The queue that holds verified deliveries until they are stored",
      value: deliveriesQueue.queueUrl,
    });
    new cdk.CfnOutput(this, "DeliveriesDeadLetterQueueUrl", {
      value: deliveriesDeadLetterQueue.queueUrl,
    });
    new cdk.CfnOutput(this, "ProcessFunctionName", {
      description: "The function that stores each event once",
      value: processFunction.functionName,
    });
    new cdk.CfnOutput(this, "ProcessFunctionLogGroupName", {
      value: processFunction.logGroup.logGroupName,
    });
    new cdk.CfnOutput(this, "EventsTableName", {
      description: "The table of the events received",
      value: eventsTable.tableName,
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
        POWERTOOLS_SERVICE_NAME: "scalable-webhook",
        POWERTOOLS_METRICS_NAMESPACE: "ScalableWebhook",
        NODE_OPTIONS: "--enable-source-maps",
        AWS_MAX_ATTEMPTS: "2", // of a call: 4 seconds each, 1 second between them
      },
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

  private logGroup(id: string, name?: string): logs.LogGroup {
    return new logs.LogGroup(this, id, {
      ...(name && { logGroupName: name }),
      retention: logs.RetentionDays.ONE_MONTH,
      removalPolicy: cdk.RemovalPolicy.DESTROY,
    });
  }
}
