/** The infrastructure: resources, what flows between them, alarms and outputs. */

import { join } from "node:path";

import * as cdk from "aws-cdk-lib";
import * as apigatewayv2 from "aws-cdk-lib/aws-apigatewayv2";
import * as authorizers from "aws-cdk-lib/aws-apigatewayv2-authorizers";
import * as integrations from "aws-cdk-lib/aws-apigatewayv2-integrations";
import * as dynamodb from "aws-cdk-lib/aws-dynamodb";
import * as iam from "aws-cdk-lib/aws-iam";
import * as lambda from "aws-cdk-lib/aws-lambda";
import * as nodejs from "aws-cdk-lib/aws-lambda-nodejs";
import * as logs from "aws-cdk-lib/aws-logs";
import * as sqs from "aws-cdk-lib/aws-sqs";
import type { Construct } from "constructs";

import { Alarms, hiddenIn, math, metric, waitingIn } from "./alarms.ts";

/** From when on alarms go off: what is normal differs from service to service. */
const THRESHOLDS = {
  /** Which share of the calls may fail, in percent; AWS recommends 5. */
  errorPercent: 5,
  /** How long 90 percent of the responses may take, in milliseconds; AWS recommends 2500. */
  latencyMilliseconds: 2500,
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

export class RobustApiStack extends cdk.Stack {
  constructor(scope: Construct, id: string, props: Props = {}) {
    super(scope, id, props);

    const issuerUrl = new cdk.CfnParameter(this, "IssuerUrl", {
      allowedPattern: "https://.+",
      description:
        "The issuer, exactly as in the iss claim of its tokens, with a final slash if there is one",
    }).valueAsString;
    const issuerAudience = new cdk.CfnParameter(this, "IssuerAudience", {
      type: "CommaDelimitedList",
      default: "robust-api",
      description: "The audiences that tokens may be for, as in their claim aud (or client_id)",
    }).valueAsList;

    const api = new apigatewayv2.HttpApi(this, "Api", {
      apiName: this.stackName,
      createDefaultStage: false,
      defaultAuthorizer: new authorizers.HttpJwtAuthorizer("Issuer", issuerUrl, {
        jwtAudience: issuerAudience,
      }),
    });
    const apiLogGroup = this.logGroup("ApiLogGroup", `/aws/vendedlogs/apis/${this.stackName}-api`);
    new apigatewayv2.CfnStage(this, "ApiStage", {
      apiId: api.apiId,
      stageName: "$default",
      autoDeploy: true,
      defaultRouteSettings: {
        throttlingRateLimit: 100,
        throttlingBurstLimit: 200,
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
          subject: "$context.authorizer.claims.sub",
          authorizerError: "$context.authorizer.error",
          integrationError: "$context.integrationErrorMessage",
          userAgent: "$context.identity.userAgent",
        }),
      },
    });

    const ordersFunction = this.lambdaFunction("OrdersFunction", {
      name: "orders",
      description: "Stores orders and reads them",
      timeout: cdk.Duration.seconds(10),
    });

    const invoicesFunction = this.lambdaFunction("InvoicesFunction", {
      name: "invoices",
      description: "Accepts requests for invoices",
      timeout: cdk.Duration.seconds(10),
    });

    const shippingFunction = this.lambdaFunction("ShippingFunction", {
      name: "shipping",
      description: "Returns shipping costs",
      timeout: cdk.Duration.seconds(12),
    });

    const writeInvoiceFunction = this.lambdaFunction("WriteInvoiceFunction", {
      name: "write-invoice",
      description: "Writes the invoice of an order once",
      timeout: cdk.Duration.seconds(20),
    });
    const writeInvoiceDeadLetterQueue = this.deadLetterQueue("WriteInvoiceDeadLetterQueue");
    this.keepFailedEvents("WriteInvoiceFunctionInvokes", {
      invoked: writeInvoiceFunction,
      queue: writeInvoiceDeadLetterQueue,
      retries: 2,
    });

    const ratesFunction = this.lambdaFunction("RatesFunction", {
      name: "rates",
      description: "Quotes shipping rates to other functions, as an internal API",
      timeout: cdk.Duration.seconds(10),
    });
    const ratesFunctionAlias = ratesFunction.addAlias("live");

    const orderBookTable = new dynamodb.Table(this, "OrderBookTable", {
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

    const tariffsTable = new dynamodb.Table(this, "TariffsTable", {
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

    // api -> orders
    api.addRoutes({
      path: "/orders/{order_id}",
      methods: [apigatewayv2.HttpMethod.PUT],
      integration: new integrations.HttpLambdaIntegration(
        "OrdersFunctionIntegration",
        ordersFunction,
      ),
      authorizationScopes: ["orders:write"],
    });
    api.addRoutes({
      path: "/orders/{order_id}",
      methods: [apigatewayv2.HttpMethod.GET],
      integration: new integrations.HttpLambdaIntegration(
        "OrdersFunctionIntegration",
        ordersFunction,
      ),
      authorizationScopes: ["orders:read"],
    });

    // api -> invoices
    api.addRoutes({
      path: "/orders/{order_id}/invoice",
      methods: [apigatewayv2.HttpMethod.POST],
      integration: new integrations.HttpLambdaIntegration(
        "InvoicesFunctionIntegration",
        invoicesFunction,
      ),
      authorizationScopes: ["orders:write"],
    });

    // api -> shipping
    api.addRoutes({
      path: "/shipping/{country}",
      methods: [apigatewayv2.HttpMethod.GET],
      integration: new integrations.HttpLambdaIntegration(
        "ShippingFunctionIntegration",
        shippingFunction,
      ),
      authorizationScopes: ["shipping:read"],
    });

    // orders -> order-book
    orderBookTable.grant(ordersFunction, "dynamodb:GetItem", "dynamodb:PutItem");
    ordersFunction.addEnvironment("ORDER_BOOK_TABLE_NAME", orderBookTable.tableName);

    // invoices -> write-invoice
    iam.Grant.addToPrincipal({
      grantee: invoicesFunction,
      actions: ["lambda:InvokeFunction"],
      resourceArns: [writeInvoiceFunction.functionArn],
    });
    invoicesFunction.addEnvironment(
      "WRITE_INVOICE_FUNCTION_NAME",
      writeInvoiceFunction.functionName,
    );

    // write-invoice -> order-book
    orderBookTable.grant(writeInvoiceFunction, "dynamodb:GetItem", "dynamodb:UpdateItem");
    writeInvoiceFunction.addEnvironment("ORDER_BOOK_TABLE_NAME", orderBookTable.tableName);

    // shipping -> rates
    iam.Grant.addToPrincipal({
      grantee: shippingFunction,
      actions: ["lambda:InvokeFunction"],
      resourceArns: [ratesFunctionAlias.functionArn],
    });
    shippingFunction.addEnvironment("RATES_ALIAS_ARN", ratesFunctionAlias.functionArn);

    // rates -> tariffs
    tariffsTable.grant(ratesFunction, "dynamodb:GetItem");
    ratesFunction.addEnvironment("TARIFFS_TABLE_NAME", tariffsTable.tableName);

    const thresholds = { ...THRESHOLDS, ...props.thresholds };
    const alarms = new Alarms(this, props.alarmTopicArn, props.ticketTopicArn);
    // A message comes there after all its retries, and is deleted after 14 days; new messages set
    // it off, even if older ones remain.
    alarms.page("DeadLettersAlarm", {
      description:
        "Page: Failed messages have come into WriteInvoiceDeadLetterQueue. First: run make " +
        "dead-letters, then see When a message fails in the README",
      value: math("IF(w1 + h1 > 0 AND FILL(DIFF(w1 + h1), 1) > 0, 1, 0)", {
        w1: waitingIn(writeInvoiceDeadLetterQueue),
        h1: hiddenIn(writeInvoiceDeadLetterQueue),
      }),
      periods: 20,
      needed: 1,
      clears: false,
    });
    // Nothing else shows it.
    alarms.page("LostEventsAlarm", {
      description:
        "Page: A failed event could not be kept, and is lost, at WriteInvoiceFunction. First: " +
        "check the permissions to send to the dead-letter queue",
      value: metric("AWS/Lambda", "DestinationDeliveryFailures", "Sum", {
        FunctionName: writeInvoiceFunction.functionName,
      }),
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
    alarms.ticket("ApiRefusalsAlarm", {
      description:
        "Ticket: Api refuses most requests. First: check issuer and audience, and the provider's " +
        "keys",
      value: math("IF(requests >= 20, 100 * refused / requests, 0)", {
        requests: metric("AWS/ApiGateway", "Count", "Sum", { ApiId: api.apiId }),
        refused: metric("AWS/ApiGateway", "4xx", "Sum", { ApiId: api.apiId }),
      }),
      threshold: thresholds.refusedPercent,
      minutes: 5,
      periods: 3,
    });
    // Callers are told by a status, and events are retried; AWS recommends 3 of 3 minutes.
    alarms.ticket("FunctionErrorsAlarm", {
      description:
        "Ticket: Invocations of OrdersFunction, InvoicesFunction, ShippingFunction and " +
        "RatesFunction fail. First: see their logs",
      value: math(
        `IF(100 * failed > IF(calls < 9, 24, ${String(thresholds.errorPercent)}) * calls, ` +
          "0, m1_1 + m1_2 + m1_3 + m1_4)",
        {
          calls: metric("AWS/ApiGateway", "Count", "Sum", { ApiId: api.apiId }),
          failed: metric("AWS/ApiGateway", "5xx", "Sum", { ApiId: api.apiId }),
          m1_1: ordersFunction.metricErrors(),
          m1_2: invoicesFunction.metricErrors(),
          m1_3: shippingFunction.metricErrors(),
          m1_4: ratesFunction.metricErrors(),
        },
      ),
      periods: 3,
    });

    new cdk.CfnOutput(this, "ApiUrl", {
      description: "The address of the API",
      value: api.apiEndpoint,
    });
    new cdk.CfnOutput(this, "OrdersFunctionName", {
      description: "The function that stores orders and reads them",
      value: ordersFunction.functionName,
    });
    new cdk.CfnOutput(this, "OrdersFunctionLogGroupName", {
      value: ordersFunction.logGroup.logGroupName,
    });
    new cdk.CfnOutput(this, "InvoicesFunctionName", {
      description: "The function that accepts requests for invoices",
      value: invoicesFunction.functionName,
    });
    new cdk.CfnOutput(this, "InvoicesFunctionLogGroupName", {
      value: invoicesFunction.logGroup.logGroupName,
    });
    new cdk.CfnOutput(this, "ShippingFunctionName", {
      description: "The function that returns shipping costs",
      value: shippingFunction.functionName,
    });
    new cdk.CfnOutput(this, "ShippingFunctionLogGroupName", {
      value: shippingFunction.logGroup.logGroupName,
    });
    new cdk.CfnOutput(this, "WriteInvoiceFunctionName", {
      description: "The function that writes the invoice of an order once",
      value: writeInvoiceFunction.functionName,
    });
    new cdk.CfnOutput(this, "WriteInvoiceFunctionLogGroupName", {
      value: writeInvoiceFunction.logGroup.logGroupName,
    });
    new cdk.CfnOutput(this, "WriteInvoiceDeadLetterQueueUrl", {
      description: "The queue of the events that it could not process",
      value: writeInvoiceDeadLetterQueue.queueUrl,
    });
    new cdk.CfnOutput(this, "RatesFunctionName", {
      description: "The function that quotes shipping rates to other functions, as an internal API",
      value: ratesFunction.functionName,
    });
    new cdk.CfnOutput(this, "RatesFunctionAliasArn", {
      description: "Its alias, which callers invoke",
      value: ratesFunctionAlias.functionArn,
    });
    new cdk.CfnOutput(this, "RatesFunctionLogGroupName", {
      value: ratesFunction.logGroup.logGroupName,
    });
    new cdk.CfnOutput(this, "OrderBookTableName", {
      description: "The table of the orders and their invoices",
      value: orderBookTable.tableName,
    });
    new cdk.CfnOutput(this, "TariffsTableName", {
      description: "The table of the tariff of each country",
      value: tariffsTable.tableName,
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
        POWERTOOLS_SERVICE_NAME: "robust-api",
        POWERTOOLS_METRICS_NAMESPACE: "RobustApi",
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

  private logGroup(id: string, name?: string): logs.LogGroup {
    return new logs.LogGroup(this, id, {
      ...(name && { logGroupName: name }),
      retention: logs.RetentionDays.ONE_MONTH,
      removalPolicy: cdk.RemovalPolicy.DESTROY,
    });
  }
}
