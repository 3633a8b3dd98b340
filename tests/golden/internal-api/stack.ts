/** The infrastructure: resources, what flows between them, alarms and outputs. */

import { join } from "node:path";

import * as cdk from "aws-cdk-lib";
import * as dynamodb from "aws-cdk-lib/aws-dynamodb";
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
};

interface Props extends cdk.StackProps {
  /** Where alarms go that need somebody now; without it the stack has a topic of its own. */
  readonly alarmTopicArn?: string | undefined;
  /** Where alarms go that can wait; without it they go to the same topic. */
  readonly ticketTopicArn?: string | undefined;
  readonly thresholds?: Partial<typeof THRESHOLDS>;
}

export class InternalApiStack extends cdk.Stack {
  constructor(scope: Construct, id: string, props: Props = {}) {
    super(scope, id, props);

    const quoteFunction = this.lambdaFunction("QuoteFunction", {
      name: "quote",
      description: "Quotes the price of an item",
      timeout: cdk.Duration.seconds(10),
    });
    const quoteFunctionAlias = quoteFunction.addAlias("live");
    this.permitCaller("QuoteFunctionCallerPermission", {
      alias: quoteFunctionAlias,
      caller: "Caller",
    });

    const pricesTable = new dynamodb.Table(this, "PricesTable", {
      partitionKey: {
        name: "item",
        type: dynamodb.AttributeType.STRING,
      },
      billingMode: dynamodb.BillingMode.PAY_PER_REQUEST,
      pointInTimeRecoverySpecification: {
        pointInTimeRecoveryEnabled: true,
      },
      deletionProtection: !this.stackName.endsWith("-e2e"), // the stack of the proofs can be deleted
      removalPolicy: cdk.RemovalPolicy.RETAIN,
    });

    // quote -> prices
    pricesTable.grant(quoteFunction, "dynamodb:GetItem");
    quoteFunction.addEnvironment("PRICES_TABLE_NAME", pricesTable.tableName);

    const thresholds = { ...THRESHOLDS, ...props.thresholds };
    const alarms = new Alarms(this, props.alarmTopicArn, props.ticketTopicArn);
    // A share in 3 of 15 minutes, each with at least 9 calls: after three minutes of an outage, and
    // also where only each fourth minute is bad.
    alarms.page("QuoteFunctionErrorsAlarm", {
      description: "Page: Calls of the quote function fail. First: see its log",
      value: math("IF(calls >= 9, 100 * failed / calls, 0)", {
        calls: quoteFunction.metricInvocations(),
        failed: quoteFunction.metricErrors(),
      }),
      threshold: thresholds.errorPercent,
      periods: 15,
      needed: 3,
    });
    // Fewer than 540 calls in an hour are no rate by the minute: three of them have failed, and a
    // quarter or more.
    alarms.page("QuoteFunctionQuietErrorsAlarm", {
      description:
        "Page: Three or more of the few calls of the quote function in an hour failed. First: " +
        "see its log",
      value: math("IF(calls < 540 AND failed >= 3 AND 4 * failed >= calls, 1, 0)", {
        calls: quoteFunction.metricInvocations(),
        failed: quoteFunction.metricErrors(),
      }),
      minutes: 60,
    });
    // AWS recommends the 90th percentile in 5 of 5 minutes.
    alarms.ticket("QuoteFunctionDurationAlarm", {
      description:
        "Ticket: Calls of the quote function are slow. First: see its log, and compare with the " +
        "memory that it has",
      value: metric("AWS/Lambda", "Duration", "p90", { FunctionName: quoteFunction.functionName }),
      threshold: thresholds.latencyMilliseconds,
      periods: 5,
    });

    new cdk.CfnOutput(this, "QuoteFunctionName", {
      description: "The function that quotes the price of an item",
      value: quoteFunction.functionName,
    });
    new cdk.CfnOutput(this, "QuoteFunctionAliasArn", {
      description: "Its alias, which callers invoke",
      value: quoteFunctionAlias.functionArn,
    });
    new cdk.CfnOutput(this, "QuoteFunctionLogGroupName", {
      value: quoteFunction.logGroup.logGroupName,
    });
    new cdk.CfnOutput(this, "PricesTableName", {
      description: "The table of the prices of all items",
      value: pricesTable.tableName,
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
        POWERTOOLS_SERVICE_NAME: "internal-api",
        POWERTOOLS_METRICS_NAMESPACE: "InternalApi",
        NODE_OPTIONS: "--enable-source-maps",
        AWS_MAX_ATTEMPTS: "2", // of a call: 4 seconds each, 1 second between them
      },
    });
  }

  private permitCaller(id: string, options: { alias: lambda.Alias; caller: string }): void {
    const { alias, caller } = options;
    const arn = new cdk.CfnParameter(this, `${caller}Arn`, {
      default: "",
      allowedPattern: String.raw`(arn:aws[a-z-]*:iam::\d{12}:(root|(role|user)/.+))?`,
      description:
        "A role, or the root of an account, that may call beside the roles that IAM allows in this account.",
    }).valueAsString;
    const permission = new lambda.CfnPermission(this, id, {
      // Not the function: what it permits does not hold for its aliases.
      functionName: alias.functionArn,
      action: "lambda:InvokeFunction",
      principal: arn,
    });
    permission.cfnOptions.condition = new cdk.CfnCondition(this, `${caller}IsNamed`, {
      expression: cdk.Fn.conditionNot(cdk.Fn.conditionEquals(arn, "")),
    });
  }

  private logGroup(id: string): logs.LogGroup {
    return new logs.LogGroup(this, id, {
      retention: logs.RetentionDays.ONE_MONTH,
      removalPolicy: cdk.RemovalPolicy.DESTROY,
    });
  }
}
