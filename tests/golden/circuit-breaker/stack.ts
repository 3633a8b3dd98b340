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
import * as secretsmanager from "aws-cdk-lib/aws-secretsmanager";
import type { Construct } from "constructs";

import { Alarms, math, metric } from "./alarms.ts";

/** From when on alarms go off: what is normal differs from service to service. */
const THRESHOLDS = {
  /** Which share of the calls may fail, in percent; AWS recommends 5. */
  errorPercent: 5,
  /** How long 90 percent of the responses may take, in milliseconds; AWS recommends 2500. */
  latencyMilliseconds: 2500,
};

interface Props extends cdk.StackProps {
  /** Where alarms go that need somebody now; without it the stack has a topic of its own. */
  readonly alarmTopicArn?: string | undefined;
  /** Where alarms go that can wait; without it they go to the same topic. */
  readonly ticketTopicArn?: string | undefined;
  readonly thresholds?: Partial<typeof THRESHOLDS>;
}

export class CircuitBreakerStack extends cdk.Stack {
  constructor(scope: Construct, id: string, props: Props = {}) {
    super(scope, id, props);

    const carrierUrl = new cdk.CfnParameter(this, "CarrierUrl", {
      // On the local stack it is a stand-in.
      allowedPattern: String.raw`https://.*[^/]|http://127\.0\.0\.1:\d+`,
      description: "The address of the carrier's API",
    }).valueAsString;

    const api = new apigatewayv2.HttpApi(this, "Api", {
      apiName: this.stackName,
      createDefaultStage: false,
      defaultAuthorizer: new authorizers.HttpIamAuthorizer(),
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
          subject: "$context.identity.userArn",
          integrationError: "$context.integrationErrorMessage",
          userAgent: "$context.identity.userAgent",
        }),
      },
    });

    const trackFunction = this.lambdaFunction("TrackFunction", {
      name: "track",
      description: "Asks the carrier where a parcel is",
      timeout: cdk.Duration.seconds(20),
    });

    const circuitsTable = new dynamodb.Table(this, "CircuitsTable", {
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

    const administerFunction = this.lambdaFunction("AdministerFunction", {
      name: "administer",
      description: "Shows, opens and closes the circuit",
      timeout: cdk.Duration.seconds(10),
    });

    const carrierToken = new secretsmanager.Secret(this, "CarrierToken", {
      description: "The token by which the service signs in to the carrier",
      generateSecretString: {
        passwordLength: 43,
        excludePunctuation: true,
      },
    });

    // api -> track
    api.addRoutes({
      path: "/parcels/{number}",
      methods: [apigatewayv2.HttpMethod.GET],
      integration: new integrations.HttpLambdaIntegration(
        "TrackFunctionIntegration",
        trackFunction,
      ),
    });

    // track -> circuits
    circuitsTable.grant(trackFunction, "dynamodb:GetItem", "dynamodb:UpdateItem");
    trackFunction.addEnvironment("CIRCUITS_TABLE_NAME", circuitsTable.tableName);

    // track -> carrier
    trackFunction.addEnvironment("CARRIER_URL", carrierUrl);

    // administer -> circuits
    circuitsTable.grant(administerFunction, "dynamodb:GetItem", "dynamodb:UpdateItem");
    administerFunction.addEnvironment("CIRCUITS_TABLE_NAME", circuitsTable.tableName);

    // track -> carrier-token
    iam.Grant.addToPrincipal({
      grantee: trackFunction,
      actions: ["secretsmanager:GetSecretValue"],
      resourceArns: [carrierToken.secretArn],
    });
    trackFunction.addEnvironment("CARRIER_TOKEN_ARN", carrierToken.secretArn);

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
    // 10 minutes in none of which it was closed, since it opens for moments in normal operation;
    // while callers get an error, another alarm tells; it stays open while nobody calls.
    alarms.ticket("CarrierCircuitOpenAlarm", {
      description:
        "Ticket: The circuit of carrier stays open. First: ask those who run carrier; the " +
        "circuit closes once a probe succeeds",
      value: math(
        `IF(100 * failed > IF(calls < 9, 24, ${String(thresholds.errorPercent)}) * calls, ` +
          "0, m1)",
        {
          calls: metric("AWS/ApiGateway", "Count", "Sum", { ApiId: api.apiId }),
          failed: metric("AWS/ApiGateway", "5xx", "Sum", { ApiId: api.apiId }),
          m1: metric("CircuitBreaker", "CircuitOpen", "Minimum", {
            FunctionName: trackFunction.functionName,
            service: "circuit-breaker",
            circuit: "carrier",
          }),
        },
      ),
      periods: 10,
      missing: cloudwatch.TreatMissingData.IGNORE,
    });
    // Callers are still served; 3 of 3 minutes.
    alarms.ticket("CarrierCircuitUnguardedAlarm", {
      description:
        "Ticket: The state of the circuit of carrier cannot be read or written. First: check the " +
        "datastore of the circuit: calls go through unguarded",
      value: metric("CircuitBreaker", "CircuitStateUnavailable", "Sum", {
        FunctionName: trackFunction.functionName,
        service: "circuit-breaker",
        circuit: "carrier",
      }),
      periods: 3,
    });
    // In two minutes of an hour; while most that track does fails, another alarm tells.
    alarms.ticket("CarrierSignInAlarm", {
      description:
        "Ticket: The service cannot sign in to carrier. First: see in the log of track whether " +
        "the token is refused or cannot be read, and store a valid one in CarrierToken",
      value: math(
        `IF(100 * failed > IF(calls < 9, 24, ${String(thresholds.errorPercent)}) * calls, ` +
          "0, m1)",
        {
          calls: metric("AWS/ApiGateway", "Count", "Sum", { ApiId: api.apiId }),
          failed: metric("AWS/ApiGateway", "5xx", "Sum", { ApiId: api.apiId }),
          m1: metric("CircuitBreaker", "SignInFailed", "Sum", {
            FunctionName: trackFunction.functionName,
            service: "circuit-breaker",
            system: "carrier",
          }),
        },
      ),
      periods: 60,
      needed: 2,
    });
    // Callers are told by a status, and events are retried; AWS recommends 3 of 3 minutes.
    alarms.ticket("FunctionErrorsAlarm", {
      description:
        "Ticket: Invocations of TrackFunction and AdministerFunction fail. First: see their logs",
      value: math(
        `IF(100 * failed > IF(calls < 9, 24, ${String(thresholds.errorPercent)}) * calls, ` +
          "0, m1) + m2",
        {
          calls: metric("AWS/ApiGateway", "Count", "Sum", { ApiId: api.apiId }),
          failed: metric("AWS/ApiGateway", "5xx", "Sum", { ApiId: api.apiId }),
          m1: trackFunction.metricErrors(),
          m2: administerFunction.metricErrors(),
        },
      ),
      periods: 3,
    });

    new cdk.CfnOutput(this, "ApiUrl", {
      description: "The address of the API",
      value: api.apiEndpoint,
    });
    new cdk.CfnOutput(this, "TrackFunctionName", {
      description: "The function that asks the carrier where a parcel is",
      value: trackFunction.functionName,
    });
    new cdk.CfnOutput(this, "TrackFunctionLogGroupName", {
      value: trackFunction.logGroup.logGroupName,
    });
    new cdk.CfnOutput(this, "CircuitsTableName", {
      description: "The table of the state of the circuit, shared by all instances",
      value: circuitsTable.tableName,
    });
    new cdk.CfnOutput(this, "AdministerFunctionName", {
      description: "The function that shows, opens and closes the circuit",
      value: administerFunction.functionName,
    });
    new cdk.CfnOutput(this, "CarrierTokenArn", {
      description: "The token by which the service signs in to the carrier",
      value: carrierToken.secretArn,
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
        POWERTOOLS_SERVICE_NAME: "circuit-breaker",
        POWERTOOLS_METRICS_NAMESPACE: "CircuitBreaker",
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
