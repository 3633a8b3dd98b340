/** The infrastructure: resources, what flows between them, alarms and outputs. */

import { join } from "node:path";

import * as cdk from "aws-cdk-lib";
import * as apigatewayv2 from "aws-cdk-lib/aws-apigatewayv2";
import * as authorizers from "aws-cdk-lib/aws-apigatewayv2-authorizers";
import * as integrations from "aws-cdk-lib/aws-apigatewayv2-integrations";
import * as cloudwatch from "aws-cdk-lib/aws-cloudwatch";
import * as dynamodb from "aws-cdk-lib/aws-dynamodb";
import * as iam from "aws-cdk-lib/aws-iam";
import * as lambda from "aws-cdk-lib/aws-lambda";
import * as nodejs from "aws-cdk-lib/aws-lambda-nodejs";
import * as logs from "aws-cdk-lib/aws-logs";
import type { Construct } from "constructs";

import { Alarms, math, metric } from "./alarms.ts";

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

export class AggregatorStack extends cdk.Stack {
  constructor(scope: Construct, id: string, props: Props = {}) {
    super(scope, id, props);

    const catalogFunctionArn = this.remoteFunction(
      "CatalogFunctionArn",
      "The function that returns the name and the price of a product; better its alias",
    );

    const stockFunctionArn = this.remoteFunction(
      "StockFunctionArn",
      "The function that returns how many of a product are available; better its alias",
    );

    const reviewsFunctionArn = this.remoteFunction(
      "ReviewsFunctionArn",
      "The function that returns the reviews of a product; better its alias",
    );

    const issuerUrl = new cdk.CfnParameter(this, "IssuerUrl", {
      allowedPattern: "https://.+",
      description:
        "The issuer, exactly as in the iss claim of its tokens, with a final slash if there is one",
    }).valueAsString;
    const issuerAudience = new cdk.CfnParameter(this, "IssuerAudience", {
      type: "CommaDelimitedList",
      default: "aggregator",
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

    const aggregateFunction = this.lambdaFunction("AggregateFunction", {
      name: "aggregate",
      description: "Builds the page of a product",
      timeout: cdk.Duration.seconds(25),
    });

    const answersTable = new dynamodb.Table(this, "AnswersTable", {
      partitionKey: {
        name: "id",
        type: dynamodb.AttributeType.STRING,
      },
      billingMode: dynamodb.BillingMode.PAY_PER_REQUEST,
      pointInTimeRecoverySpecification: {
        pointInTimeRecoveryEnabled: false,
      },
      timeToLiveAttribute: "expires_at",
      // What a cache has may be lost at any time.
      deletionProtection: false,
      removalPolicy: cdk.RemovalPolicy.DESTROY,
    });

    // api -> aggregate
    api.addRoutes({
      path: "/products/{product_id}",
      methods: [apigatewayv2.HttpMethod.GET],
      integration: new integrations.HttpLambdaIntegration(
        "AggregateFunctionIntegration",
        aggregateFunction,
      ),
      authorizationScopes: ["products:read"],
    });

    // aggregate -> catalog
    iam.Grant.addToPrincipal({
      grantee: aggregateFunction,
      actions: ["lambda:InvokeFunction"],
      resourceArns: [catalogFunctionArn],
    });
    aggregateFunction.addEnvironment("CATALOG_FUNCTION_ARN", catalogFunctionArn);

    // aggregate -> stock
    iam.Grant.addToPrincipal({
      grantee: aggregateFunction,
      actions: ["lambda:InvokeFunction"],
      resourceArns: [stockFunctionArn],
    });
    aggregateFunction.addEnvironment("STOCK_FUNCTION_ARN", stockFunctionArn);

    // aggregate -> reviews
    iam.Grant.addToPrincipal({
      grantee: aggregateFunction,
      actions: ["lambda:InvokeFunction"],
      resourceArns: [reviewsFunctionArn],
    });
    aggregateFunction.addEnvironment("REVIEWS_FUNCTION_ARN", reviewsFunctionArn);

    // aggregate -> answers
    answersTable.grant(aggregateFunction, "dynamodb:GetItem", "dynamodb:UpdateItem");
    aggregateFunction.addEnvironment("ANSWERS_TABLE_NAME", answersTable.tableName);

    const thresholds = { ...THRESHOLDS, ...props.thresholds };
    const alarms = new Alarms(this, props.alarmTopicArn, props.ticketTopicArn);
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
    // Of 3 calls an hour or more; callers get the rest; quiet after 6 hours without it.
    alarms.ticket("AggregateFunctionMissingPartsAlarm", {
      description:
        "Ticket: Half of the pages of aggregate lack catalog or stock or reviews. First: find " +
        "'service failed' in the log of aggregate: it names the service, and why",
      value: math(
        "IF(calls >= 3, IF(calls - 2 * catalog <= 0, 1, 0) + IF(calls - 2 * stock <= 0, 1, " +
          "0) + IF(calls - 2 * reviews <= 0, 1, 0))",
        {
          calls: aggregateFunction.metricInvocations(),
          catalog: metric("Aggregator", "PartMissing", "Sum", {
            FunctionName: aggregateFunction.functionName,
            service: "aggregator",
            part: "catalog",
          }),
          stock: metric("Aggregator", "PartMissing", "Sum", {
            FunctionName: aggregateFunction.functionName,
            service: "aggregator",
            part: "stock",
          }),
          reviews: metric("Aggregator", "PartMissing", "Sum", {
            FunctionName: aggregateFunction.functionName,
            service: "aggregator",
            part: "reviews",
          }),
        },
      ),
      minutes: 60,
      periods: 6,
      needed: 1,
      missing: cloudwatch.TreatMissingData.IGNORE,
    });
    // Callers are told by a status, and events are retried; AWS recommends 3 of 3 minutes.
    alarms.ticket("FunctionErrorsAlarm", {
      description: "Ticket: Invocations of AggregateFunction fail. First: see their logs",
      value: math(
        `IF(100 * failed > IF(calls < 9, 24, ${String(thresholds.errorPercent)}) * calls, ` +
          "0, m1)",
        {
          calls: metric("AWS/ApiGateway", "Count", "Sum", { ApiId: api.apiId }),
          failed: metric("AWS/ApiGateway", "5xx", "Sum", { ApiId: api.apiId }),
          m1: aggregateFunction.metricErrors(),
        },
      ),
      periods: 3,
    });

    new cdk.CfnOutput(this, "ApiUrl", {
      description: "The address of the API",
      value: api.apiEndpoint,
    });
    new cdk.CfnOutput(this, "AggregateFunctionName", {
      description: "The function that builds the page of a product",
      value: aggregateFunction.functionName,
    });
    new cdk.CfnOutput(this, "AggregateFunctionLogGroupName", {
      value: aggregateFunction.logGroup.logGroupName,
    });
    new cdk.CfnOutput(this, "AnswersTableName", {
      description: "The table of the last valid responses of the services",
      value: answersTable.tableName,
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
        POWERTOOLS_SERVICE_NAME: "aggregator",
        POWERTOOLS_METRICS_NAMESPACE: "Aggregator",
        NODE_OPTIONS: "--enable-source-maps",
        AWS_MAX_ATTEMPTS: "2", // of a call: 4 seconds each, 1 second between them
      },
    });
  }

  private remoteFunction(id: string, description: string): string {
    return new cdk.CfnParameter(this, id, {
      allowedPattern: String.raw`arn:aws[a-z-]*:lambda:[a-z0-9-]+:\d{12}:function:[A-Za-z0-9_-]+(:[A-Za-z0-9_$-]+)?`,
      description,
    }).valueAsString;
  }

  private logGroup(id: string, name?: string): logs.LogGroup {
    return new logs.LogGroup(this, id, {
      ...(name && { logGroupName: name }),
      retention: logs.RetentionDays.ONE_MONTH,
      removalPolicy: cdk.RemovalPolicy.DESTROY,
    });
  }
}
