/** The infrastructure: resources, what flows between them, alarms and outputs. */

import { join } from "node:path";

import * as cdk from "aws-cdk-lib";
import * as apigatewayv2 from "aws-cdk-lib/aws-apigatewayv2";
import * as integrations from "aws-cdk-lib/aws-apigatewayv2-integrations";
import * as dynamodb from "aws-cdk-lib/aws-dynamodb";
import * as events from "aws-cdk-lib/aws-events";
import * as iam from "aws-cdk-lib/aws-iam";
import * as lambda from "aws-cdk-lib/aws-lambda";
import * as nodejs from "aws-cdk-lib/aws-lambda-nodejs";
import * as logs from "aws-cdk-lib/aws-logs";
import * as sqs from "aws-cdk-lib/aws-sqs";
import * as sfn from "aws-cdk-lib/aws-stepfunctions";
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

export class StateMachineStack extends cdk.Stack {
  constructor(scope: Construct, id: string, props: Props = {}) {
    super(scope, id, props);

    const issuerUrl = new cdk.CfnParameter(this, "IssuerUrl", {
      allowedPattern: "https://.+",
      description:
        "The issuer, exactly as in the iss claim of its tokens, with a final slash if there is one",
    }).valueAsString;
    const issuerAudience = new cdk.CfnParameter(this, "IssuerAudience", {
      type: "CommaDelimitedList",
      default: "state-machine",
      description: "The audiences that tokens may be for, as in their claim aud (or client_id)",
    }).valueAsList;

    const api = new apigatewayv2.HttpApi(this, "Api", {
      apiName: this.stackName,
      createDefaultStage: false,
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
    const apiRole = new iam.Role(this, "ApiRole", {
      assumedBy: new iam.ServicePrincipal("apigateway.amazonaws.com"),
    });

    const statusFunction = this.lambdaFunction("StatusFunction", {
      name: "status",
      description: "Returns the status of an order",
      timeout: cdk.Duration.seconds(10),
    });

    const reserveFunction = this.lambdaFunction("ReserveFunction", {
      name: "reserve",
      description: "Reserves the goods of an order",
      timeout: cdk.Duration.seconds(10),
    });

    const chargeFunction = this.lambdaFunction("ChargeFunction", {
      name: "charge",
      description: "Charges the customer for an order",
      timeout: cdk.Duration.seconds(10),
    });

    const shipFunction = this.lambdaFunction("ShipFunction", {
      name: "ship",
      description: "Ships an order",
      timeout: cdk.Duration.seconds(10),
    });

    const cancelFunction = this.lambdaFunction("CancelFunction", {
      name: "cancel",
      description: "Cancels the shipment of an order",
      timeout: cdk.Duration.seconds(10),
    });

    const refundFunction = this.lambdaFunction("RefundFunction", {
      name: "refund",
      description: "Refunds the payment of an order",
      timeout: cdk.Duration.seconds(10),
    });

    const releaseFunction = this.lambdaFunction("ReleaseFunction", {
      name: "release",
      description: "Releases the reserved goods of an order",
      timeout: cdk.Duration.seconds(10),
    });

    const effectsTable = new dynamodb.Table(this, "EffectsTable", {
      partitionKey: {
        name: "id",
        type: dynamodb.AttributeType.STRING,
      },
      billingMode: dynamodb.BillingMode.PAY_PER_REQUEST,
      pointInTimeRecoverySpecification: {
        pointInTimeRecoveryEnabled: true,
      },
      timeToLiveAttribute: "expires_at",
      deletionProtection: !this.stackName.endsWith("-e2e"), // the stack of the proofs can be deleted
      removalPolicy: cdk.RemovalPolicy.RETAIN,
    });

    const orderStateMachine = new sfn.StateMachine(this, "OrderStateMachine", {
      definitionBody: sfn.DefinitionBody.fromFile(
        join(import.meta.dirname, "../statemachines/order.asl.json"),
      ),
      definitionSubstitutions: {
        Partition: cdk.Aws.PARTITION,
        ReserveFunctionArn: reserveFunction.functionArn,
        ChargeFunctionArn: chargeFunction.functionArn,
        ShipFunctionArn: shipFunction.functionArn,
        CancelFunctionArn: cancelFunction.functionArn,
        RefundFunctionArn: refundFunction.functionArn,
        ReleaseFunctionArn: releaseFunction.functionArn,
        EffectsTableName: effectsTable.tableName,
      },
      tracingEnabled: true,
    });
    const orderDeadLetterQueue = this.deadLetterQueue("OrderDeadLetterQueue");
    const orderFailureRule = this.deadLetterRule("OrderFailureRule", {
      description: "Executions of order that ended in a failure",
      eventPattern: {
        source: ["aws.states"],
        "detail-type": ["Step Functions Execution Status Change"],
        detail: {
          stateMachineArn: [orderStateMachine.stateMachineArn],
          // A redrive of what ended with CancelledError could only fail again.
          $or: [
            { status: ["FAILED"], error: [{ "anything-but": "CancelledError" }] },
            { status: ["TIMED_OUT", "ABORTED"] },
          ],
        },
      },
      queue: orderDeadLetterQueue,
    });

    // api -> order
    orderStateMachine.grantStartExecution(apiRole);
    const orderIntegration = new apigatewayv2.CfnIntegration(this, "OrderStateMachineIntegration", {
      apiId: api.apiId,
      integrationType: "AWS_PROXY",
      integrationSubtype: "StepFunctions-StartExecution",
      payloadFormatVersion: "1.0",
      credentialsArn: apiRole.roleArn,
      requestParameters: {
        StateMachineArn: orderStateMachine.stateMachineArn,
        Name: "$request.path.id", // starting it twice has no effect
        Input: "$request.body",
      },
      responseParameters: {
        "200": {
          ResponseParameters: [
            {
              Destination: "overwrite:statuscode",
              Source: "202",
            },
          ],
        },
      },
    });
    new apigatewayv2.CfnRoute(this, "OrderStateMachineRoute", {
      apiId: api.apiId,
      routeKey: "PUT /orders/{id}",
      target: `integrations/${orderIntegration.ref}`,
      authorizationType: "JWT",
      authorizerId: issuer.authorizerId,
      authorizationScopes: ["orders:write"],
    });

    // api -> status
    api.addRoutes({
      path: "/orders/{id}",
      methods: [apigatewayv2.HttpMethod.GET],
      integration: new integrations.HttpLambdaIntegration(
        "StatusFunctionIntegration",
        statusFunction,
      ),
      authorizer: issuerAuthorizer,
      authorizationScopes: ["orders:read"],
    });

    // status -> order
    iam.Grant.addToPrincipal({
      grantee: statusFunction,
      actions: ["states:DescribeExecution"],
      resourceArns: [
        this.formatArn({
          service: "states",
          resource: "execution",
          resourceName: `${orderStateMachine.stateMachineName}:*`,
          arnFormat: cdk.ArnFormat.COLON_RESOURCE_NAME,
        }),
      ],
    });
    statusFunction.addEnvironment("ORDER_MACHINE_ARN", orderStateMachine.stateMachineArn);

    // order -> reserve
    iam.Grant.addToPrincipal({
      grantee: orderStateMachine,
      actions: ["lambda:InvokeFunction"],
      resourceArns: [reserveFunction.functionArn],
    });

    // order -> charge
    iam.Grant.addToPrincipal({
      grantee: orderStateMachine,
      actions: ["lambda:InvokeFunction"],
      resourceArns: [chargeFunction.functionArn],
    });

    // order -> ship
    iam.Grant.addToPrincipal({
      grantee: orderStateMachine,
      actions: ["lambda:InvokeFunction"],
      resourceArns: [shipFunction.functionArn],
    });

    // order -> cancel
    iam.Grant.addToPrincipal({
      grantee: orderStateMachine,
      actions: ["lambda:InvokeFunction"],
      resourceArns: [cancelFunction.functionArn],
    });

    // order -> refund
    iam.Grant.addToPrincipal({
      grantee: orderStateMachine,
      actions: ["lambda:InvokeFunction"],
      resourceArns: [refundFunction.functionArn],
    });

    // order -> release
    iam.Grant.addToPrincipal({
      grantee: orderStateMachine,
      actions: ["lambda:InvokeFunction"],
      resourceArns: [releaseFunction.functionArn],
    });

    // reserve -> effects
    effectsTable.grant(reserveFunction, "dynamodb:UpdateItem");
    reserveFunction.addEnvironment("EFFECTS_TABLE_NAME", effectsTable.tableName);
    reserveFunction.addEnvironment("EFFECTS_DAYS", "120");

    // charge -> effects
    effectsTable.grant(chargeFunction, "dynamodb:UpdateItem");
    chargeFunction.addEnvironment("EFFECTS_TABLE_NAME", effectsTable.tableName);
    chargeFunction.addEnvironment("EFFECTS_DAYS", "120");

    // ship -> effects
    effectsTable.grant(shipFunction, "dynamodb:UpdateItem");
    shipFunction.addEnvironment("EFFECTS_TABLE_NAME", effectsTable.tableName);
    shipFunction.addEnvironment("EFFECTS_DAYS", "120");

    // cancel -> effects
    effectsTable.grant(cancelFunction, "dynamodb:UpdateItem");
    cancelFunction.addEnvironment("EFFECTS_TABLE_NAME", effectsTable.tableName);
    cancelFunction.addEnvironment("EFFECTS_DAYS", "120");

    // refund -> effects
    effectsTable.grant(refundFunction, "dynamodb:UpdateItem");
    refundFunction.addEnvironment("EFFECTS_TABLE_NAME", effectsTable.tableName);
    refundFunction.addEnvironment("EFFECTS_DAYS", "120");

    // release -> effects
    effectsTable.grant(releaseFunction, "dynamodb:UpdateItem");
    releaseFunction.addEnvironment("EFFECTS_TABLE_NAME", effectsTable.tableName);
    releaseFunction.addEnvironment("EFFECTS_DAYS", "120");

    // order -> effects
    effectsTable.grant(orderStateMachine, "dynamodb:UpdateItem");

    const thresholds = { ...THRESHOLDS, ...props.thresholds };
    const alarms = new Alarms(this, props.alarmTopicArn, props.ticketTopicArn);
    // A message comes there after all its retries, and is deleted after 14 days; new messages set
    // it off, even if older ones remain.
    alarms.page("DeadLettersAlarm", {
      description:
        "Page: Failed messages have come into OrderDeadLetterQueue. First: run make " +
        "dead-letters, then see When an execution fails in the README",
      value: math("IF(w1 + h1 > 0 AND FILL(DIFF(w1 + h1), 1) > 0, 1, 0)", {
        w1: waitingIn(orderDeadLetterQueue),
        h1: hiddenIn(orderDeadLetterQueue),
      }),
      periods: 20,
      needed: 1,
      clears: false,
    });
    // Nothing else shows it.
    alarms.page("LostEventsAlarm", {
      description:
        "Page: A failed event could not be kept, and is lost, at OrderFailureRule. First: check " +
        "the permissions to send to the dead-letter queue",
      value: metric("AWS/Events", "FailedInvocations", "Sum", { RuleName: orderFailureRule.ref }),
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
    // A share in 3 of 15 minutes, each with at least 9 executions: after three minutes of an
    // outage, and also where only each fourth minute is bad.
    alarms.page("OrderStateMachineFailedAlarm", {
      description:
        "Page: Too many executions of order fail, and are undone. First: see its history in the " +
        "console",
      value: math(
        "IF((failed + succeeded) >= 9, 100 * (failed + timed_out + aborted - kept) / " +
          "(failed + succeeded), 0)",
        {
          failed: metric("AWS/States", "ExecutionsFailed", "Sum", {
            StateMachineArn: orderStateMachine.stateMachineArn,
          }),
          timed_out: metric("AWS/States", "ExecutionsTimedOut", "Sum", {
            StateMachineArn: orderStateMachine.stateMachineArn,
          }),
          aborted: metric("AWS/States", "ExecutionsAborted", "Sum", {
            StateMachineArn: orderStateMachine.stateMachineArn,
          }),
          kept: metric("AWS/Events", "TriggeredRules", "Sum", { RuleName: orderFailureRule.ref }),
          succeeded: metric("AWS/States", "ExecutionsSucceeded", "Sum", {
            StateMachineArn: orderStateMachine.stateMachineArn,
          }),
        },
      ),
      threshold: thresholds.errorPercent,
      periods: 15,
      needed: 3,
    });
    // Fewer than 540 executions in an hour are no rate by the minute: three of them have failed,
    // and a quarter or more.
    alarms.page("OrderStateMachineQuietFailedAlarm", {
      description:
        "Page: Three or more of the few executions of order in an hour were undone. First: see " +
        "its history in the console",
      value: math(
        "IF((failed + succeeded) < 540 AND (failed + timed_out + aborted - kept) >= 3 AND 4 " +
          "* (failed + timed_out + aborted - kept) >= (failed + succeeded), 1, 0)",
        {
          failed: metric("AWS/States", "ExecutionsFailed", "Sum", {
            StateMachineArn: orderStateMachine.stateMachineArn,
          }),
          timed_out: metric("AWS/States", "ExecutionsTimedOut", "Sum", {
            StateMachineArn: orderStateMachine.stateMachineArn,
          }),
          aborted: metric("AWS/States", "ExecutionsAborted", "Sum", {
            StateMachineArn: orderStateMachine.stateMachineArn,
          }),
          kept: metric("AWS/Events", "TriggeredRules", "Sum", { RuleName: orderFailureRule.ref }),
          succeeded: metric("AWS/States", "ExecutionsSucceeded", "Sum", {
            StateMachineArn: orderStateMachine.stateMachineArn,
          }),
        },
      ),
      minutes: 60,
    });
    // Its caller sees that it failed, and nothing is left to redrive.
    alarms.ticket("OrderStateMachineUndoneAlarm", {
      description:
        "Ticket: An execution of order has failed, and is undone. First: see its history in the " +
        "console",
      value: math("failed + timed_out + aborted - kept", {
        failed: metric("AWS/States", "ExecutionsFailed", "Sum", {
          StateMachineArn: orderStateMachine.stateMachineArn,
        }),
        timed_out: metric("AWS/States", "ExecutionsTimedOut", "Sum", {
          StateMachineArn: orderStateMachine.stateMachineArn,
        }),
        aborted: metric("AWS/States", "ExecutionsAborted", "Sum", {
          StateMachineArn: orderStateMachine.stateMachineArn,
        }),
        kept: metric("AWS/Events", "TriggeredRules", "Sum", { RuleName: orderFailureRule.ref }),
      }),
      minutes: 5,
    });
    // Callers are told by a status, and events are retried; AWS recommends 3 of 3 minutes.
    alarms.ticket("FunctionErrorsAlarm", {
      description: "Ticket: Invocations of StatusFunction fail. First: see their logs",
      value: math(
        `IF(100 * failed > IF(calls < 9, 24, ${String(thresholds.errorPercent)}) * calls, ` +
          "0, m1)",
        {
          calls: metric("AWS/ApiGateway", "Count", "Sum", { ApiId: api.apiId }),
          failed: metric("AWS/ApiGateway", "5xx", "Sum", { ApiId: api.apiId }),
          m1: statusFunction.metricErrors(),
        },
      ),
      periods: 3,
    });

    new cdk.CfnOutput(this, "ApiUrl", {
      description: "The address of the API",
      value: api.apiEndpoint,
    });
    new cdk.CfnOutput(this, "OrderStateMachineArn", {
      description:
        "The state machine that reserves, charges and ships an order, or undoes the steps",
      value: orderStateMachine.stateMachineArn,
    });
    new cdk.CfnOutput(this, "OrderDeadLetterQueueUrl", {
      description: "The queue of its executions that ended in a failure",
      value: orderDeadLetterQueue.queueUrl,
    });
    new cdk.CfnOutput(this, "StatusFunctionName", {
      description: "The function that returns the status of an order",
      value: statusFunction.functionName,
    });
    new cdk.CfnOutput(this, "ReserveFunctionName", {
      description: "The function that reserves the goods of an order",
      value: reserveFunction.functionName,
    });
    new cdk.CfnOutput(this, "ChargeFunctionName", {
      description: "The function that charges the customer for an order",
      value: chargeFunction.functionName,
    });
    new cdk.CfnOutput(this, "ShipFunctionName", {
      description: "The function that ships an order",
      value: shipFunction.functionName,
    });
    new cdk.CfnOutput(this, "ShipFunctionLogGroupName", {
      value: shipFunction.logGroup.logGroupName,
    });
    new cdk.CfnOutput(this, "CancelFunctionName", {
      description: "The function that cancels the shipment of an order",
      value: cancelFunction.functionName,
    });
    new cdk.CfnOutput(this, "RefundFunctionName", {
      description: "The function that refunds the payment of an order",
      value: refundFunction.functionName,
    });
    new cdk.CfnOutput(this, "ReleaseFunctionName", {
      description: "The function that releases the reserved goods of an order",
      value: releaseFunction.functionName,
    });
    new cdk.CfnOutput(this, "ReleaseFunctionLogGroupName", {
      value: releaseFunction.logGroup.logGroupName,
    });
    new cdk.CfnOutput(this, "EffectsTableName", {
      description: "The table of the steps done and undone for each order",
      value: effectsTable.tableName,
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
        POWERTOOLS_SERVICE_NAME: "state-machine",
        POWERTOOLS_METRICS_NAMESPACE: "StateMachine",
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

  private logGroup(id: string, name?: string): logs.LogGroup {
    return new logs.LogGroup(this, id, {
      ...(name && { logGroupName: name }),
      retention: logs.RetentionDays.ONE_MONTH,
      removalPolicy: cdk.RemovalPolicy.DESTROY,
    });
  }
}
