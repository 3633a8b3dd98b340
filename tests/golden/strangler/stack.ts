/** The infrastructure: resources, what flows between them, alarms and outputs. */

import { join } from "node:path";

import * as cdk from "aws-cdk-lib";
import * as apigatewayv2 from "aws-cdk-lib/aws-apigatewayv2";
import * as integrations from "aws-cdk-lib/aws-apigatewayv2-integrations";
import * as dynamodb from "aws-cdk-lib/aws-dynamodb";
import * as lambda from "aws-cdk-lib/aws-lambda";
import * as nodejs from "aws-cdk-lib/aws-lambda-nodejs";
import * as logs from "aws-cdk-lib/aws-logs";
import type { Construct } from "constructs";

import { Alarms, math, metric } from "./alarms.ts";
import { moved } from "./routes.ts";

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

export class StranglerStack extends cdk.Stack {
  constructor(scope: Construct, id: string, props: Props = {}) {
    super(scope, id, props);

    const legacyUrl = new cdk.CfnParameter(this, "LegacyUrl", {
      // On the local stack it is a stand-in.
      allowedPattern: String.raw`https://[^/]+|http://127\.0\.0\.1:\d+`,
      description: "The address of the legacy system, without a path",
    }).valueAsString;
    // A changed stage variable takes effect at once, a changed address in an integration never.
    const legacyHost = cdk.Fn.select(1, cdk.Fn.split("://", legacyUrl));

    const issuerUrl = new cdk.CfnParameter(this, "IssuerUrl", {
      allowedPattern: "https://.+",
      description:
        "The issuer, exactly as in the iss claim of its tokens, with a final slash if there is one",
    }).valueAsString;
    const issuerAudience = new cdk.CfnParameter(this, "IssuerAudience", {
      type: "CommaDelimitedList",
      default: "strangler",
      description: "The audiences that tokens may be for, as in their claim aud (or client_id)",
    }).valueAsList;

    const api = new apigatewayv2.HttpApi(this, "Api", {
      apiName: this.stackName,
      createDefaultStage: false,
      defaultIntegration: new integrations.HttpUrlIntegration(
        "LegacyIntegration",
        "https://${stageVariables.LegacyHost}",
        {
          parameterMapping: new apigatewayv2.ParameterMapping().overwritePath(
            apigatewayv2.MappingValue.requestPath(),
          ),
          timeout: cdk.Duration.seconds(29),
        },
      ),
    });
    const issuer = new apigatewayv2.HttpAuthorizer(this, "Issuer", {
      httpApi: api,
      type: apigatewayv2.HttpAuthorizerType.JWT,
      identitySource: ["$request.header.Authorization"],
      jwtIssuer: issuerUrl,
      jwtAudience: issuerAudience,
    });
    const issuerAuthorizer = apigatewayv2.HttpAuthorizer.fromHttpAuthorizerAttributes(
      this,
      "IssuerAuthorizer",
      {
        authorizerId: issuer.authorizerId,
        authorizerType: "JWT",
      },
    );
    const apiLogGroup = this.logGroup("ApiLogGroup", `/aws/vendedlogs/apis/${this.stackName}-api`);
    new apigatewayv2.CfnStage(this, "ApiStage", {
      apiId: api.apiId,
      stageName: "$default",
      autoDeploy: true,
      stageVariables: { LegacyHost: legacyHost },
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
          path: "$context.path",
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
      description: "Serves orders, while they move",
      timeout: cdk.Duration.seconds(29),
    });

    const recordsTable = new dynamodb.Table(this, "RecordsTable", {
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

    const shiftsTable = new dynamodb.Table(this, "ShiftsTable", {
      partitionKey: {
        name: "path",
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
    const serving = {
      orders: new integrations.HttpLambdaIntegration("OrdersFunctionIntegration", ordersFunction, {
        scopePermissionToRoute: false, // one statement, however many routes
      }),
    };
    for (const [path, integration] of moved(serving)) {
      const needed = {
        authorizer: issuerAuthorizer,
        authorizationScopes: [`${String(path.split("/")[1])}:write`],
      };
      api.addRoutes({ path, integration, ...needed });
      api.addRoutes({ path: `${path}/{proxy+}`, integration, ...needed });
    }

    // orders -> shifts
    shiftsTable.grant(ordersFunction, "dynamodb:GetItem");
    ordersFunction.addEnvironment("SHIFTS_TABLE_NAME", shiftsTable.tableName);

    // orders -> legacy
    ordersFunction.addEnvironment("LEGACY_URL", legacyUrl);

    // orders -> records
    recordsTable.grant(ordersFunction, "dynamodb:GetItem", "dynamodb:UpdateItem");
    ordersFunction.addEnvironment("RECORDS_TABLE_NAME", recordsTable.tableName);

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
    // Callers got the answer of the system that is replaced; each difference counts.
    alarms.ticket("LegacyShadowDifferenceAlarm", {
      description:
        "Ticket: Answers of legacy and of orders differ. First: find the fields of 'shadow " +
        "difference' in the function's log; move no more callers before",
      value: metric("Strangler", "ShadowDifference", "Sum", {
        FunctionName: ordersFunction.functionName,
        service: "strangler",
      }),
      minutes: 5,
    });
    // Callers are served all the same; 3 of 3 minutes.
    alarms.ticket("LegacyShadowFailureAlarm", {
      description:
        "Ticket: Answers of legacy cannot be compared. First: find 'shadow failed' in the " +
        "function's log: its datastore is slow, or refuses calls",
      value: metric("Strangler", "ShadowFailure", "Sum", {
        FunctionName: ordersFunction.functionName,
        service: "strangler",
      }),
      periods: 3,
    });
    // Callers are told by a status, and events are retried; AWS recommends 3 of 3 minutes.
    alarms.ticket("FunctionErrorsAlarm", {
      description: "Ticket: Invocations of OrdersFunction fail. First: see their logs",
      value: math(
        `IF(100 * failed > IF(calls < 9, 24, ${String(thresholds.errorPercent)}) * calls, ` +
          "0, m1)",
        {
          calls: metric("AWS/ApiGateway", "Count", "Sum", { ApiId: api.apiId }),
          failed: metric("AWS/ApiGateway", "5xx", "Sum", { ApiId: api.apiId }),
          m1: ordersFunction.metricErrors(),
        },
      ),
      periods: 3,
    });

    new cdk.CfnOutput(this, "ApiUrl", {
      description: "The address of the API",
      value: api.apiEndpoint,
    });
    new cdk.CfnOutput(this, "ApiLogGroupName", {
      description: "The access log of the API",
      value: apiLogGroup.logGroupName,
    });
    new cdk.CfnOutput(this, "OrdersFunctionName", {
      description: "The function that serves orders, while they move",
      value: ordersFunction.functionName,
    });
    new cdk.CfnOutput(this, "OrdersFunctionLogGroupName", {
      value: ordersFunction.logGroup.logGroupName,
    });
    new cdk.CfnOutput(this, "RecordsTableName", {
      description: "The table of the orders, by their id",
      value: recordsTable.tableName,
    });
    new cdk.CfnOutput(this, "ShiftsTableName", {
      description: "The table of how far each path has moved",
      value: shiftsTable.tableName,
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
        POWERTOOLS_SERVICE_NAME: "strangler",
        POWERTOOLS_METRICS_NAMESPACE: "Strangler",
        NODE_OPTIONS: "--enable-source-maps",
        AWS_MAX_ATTEMPTS: "2", // of a call: 4 seconds each, 1 second between them
      },
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
