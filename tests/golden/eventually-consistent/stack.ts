/** The infrastructure: resources, what flows between them, alarms and outputs. */

import { readdirSync } from "node:fs";
import { join } from "node:path";

import * as cdk from "aws-cdk-lib";
import * as apigatewayv2 from "aws-cdk-lib/aws-apigatewayv2";
import * as authorizers from "aws-cdk-lib/aws-apigatewayv2-authorizers";
import * as integrations from "aws-cdk-lib/aws-apigatewayv2-integrations";
import * as dynamodb from "aws-cdk-lib/aws-dynamodb";
import * as ec2 from "aws-cdk-lib/aws-ec2";
import * as events from "aws-cdk-lib/aws-events";
import * as iam from "aws-cdk-lib/aws-iam";
import * as lambda from "aws-cdk-lib/aws-lambda";
import * as nodejs from "aws-cdk-lib/aws-lambda-nodejs";
import * as logs from "aws-cdk-lib/aws-logs";
import * as rds from "aws-cdk-lib/aws-rds";
import * as s3 from "aws-cdk-lib/aws-s3";
import * as sqs from "aws-cdk-lib/aws-sqs";
import type { Construct } from "constructs";

import { Alarms, hiddenIn, math, metric, waitingIn } from "./alarms.ts";

const MIGRATIONS = join(import.meta.dirname, "../src/migrations");

/** From when on alarms go off: what is normal differs from service to service. */
const THRESHOLDS = {
  /** Which share of the calls may fail, in percent; AWS recommends 5. */
  errorPercent: 5,
  /** How long 90 percent of the responses may take, in milliseconds; AWS recommends 2500. */
  latencyMilliseconds: 2500,
  /** How long a record may wait in a stream, in milliseconds. */
  oldestRecordMilliseconds: 900_000,
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

export class EventuallyConsistentStack extends cdk.Stack {
  constructor(scope: Construct, id: string, props: Props = {}) {
    super(scope, id, props);

    // Two private subnets, with gateway endpoints for S3 and DynamoDB only.
    const vpc = new ec2.Vpc(this, "Vpc", {
      ipAddresses: ec2.IpAddresses.cidr("10.0.0.0/23"),
      maxAzs: 2,
      // It is unused; to close it CDK would add a function that may change groups.
      restrictDefaultSecurityGroup: false,
      subnetConfiguration: [
        {
          name: "Private",
          subnetType: ec2.SubnetType.PRIVATE_ISOLATED,
          cidrMask: 24,
        },
      ],
      gatewayEndpoints: {
        S3Endpoint: { service: ec2.GatewayVpcEndpointAwsService.S3 },
        DynamoDBEndpoint: { service: ec2.GatewayVpcEndpointAwsService.DYNAMODB },
      },
    }) as ec2.IVpc; // which its class does not fit under exactOptionalPropertyTypes
    const functionSecurityGroup = new ec2.SecurityGroup(this, "FunctionSecurityGroup", {
      vpc,
      description: "The functions that use the database",
    });
    const reportsSecurityGroup = new ec2.SecurityGroup(this, "ReportsSecurityGroup", {
      vpc,
      description: "The database, for the functions that use it",
    });
    reportsSecurityGroup.addIngressRule(
      ec2.Peer.securityGroupId(functionSecurityGroup.securityGroupId),
      ec2.Port.tcp(5432),
      "PostgreSQL",
    );
    const reportsSubnetGroup = new rds.SubnetGroup(this, "ReportsSubnetGroup", {
      description: "The private subnets",
      vpc,
      vpcSubnets: { subnetType: ec2.SubnetType.PRIVATE_ISOLATED },
    });
    // There is no password: users sign in with a token that IAM authorizes.
    // A rds.DatabaseCluster would always have one.
    const reportsCluster = new rds.CfnDBCluster(this, "ReportsCluster", {
      engine: "aurora-postgresql",
      engineVersion: "16.8", // AWS supports it until 2029; raise it here
      databaseName: "reports",
      enableIamDatabaseAuthentication: true,
      masterUsername: "master",
      masterUserAuthenticationType: "iam-db-auth",
      serverlessV2ScalingConfiguration: {
        minCapacity: 0, // pauses when nobody uses it; waking up takes about 15 seconds
        maxCapacity: 4,
      },
      deletionProtection: !this.stackName.endsWith("-e2e"), // the stack of the proofs can be deleted
      storageEncrypted: true,
      backupRetentionPeriod: 7, // days
      copyTagsToSnapshot: true,
      enableCloudwatchLogsExports: ["postgresql"],
      dbSubnetGroupName: reportsSubnetGroup.subnetGroupName,
      vpcSecurityGroupIds: [reportsSecurityGroup.securityGroupId],
    });
    reportsCluster.applyRemovalPolicy(cdk.RemovalPolicy.SNAPSHOT);
    const reportsInstance = new rds.CfnDBInstance(this, "ReportsInstance", {
      engine: "aurora-postgresql",
      dbClusterIdentifier: reportsCluster.ref,
      dbInstanceClass: "db.serverless",
      publiclyAccessible: false,
      autoMinorVersionUpgrade: false, // off the pinned version, the next deployment would downgrade it
    });

    const issuerUrl = new cdk.CfnParameter(this, "IssuerUrl", {
      allowedPattern: "https://.+",
      description:
        "The issuer, exactly as in the iss claim of its tokens, with a final slash if there is one",
    }).valueAsString;
    const issuerAudience = new cdk.CfnParameter(this, "IssuerAudience", {
      type: "CommaDelimitedList",
      default: "eventually-consistent",
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
        throttlingRateLimit: 50,
        throttlingBurstLimit: 100,
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

    const manageFunction = this.lambdaFunction("ManageFunction", {
      name: "manage",
      description: "Stores, reads and deletes orders",
      timeout: cdk.Duration.seconds(28),
    });

    const ordersTable = new dynamodb.Table(this, "OrdersTable", {
      partitionKey: {
        name: "id",
        type: dynamodb.AttributeType.STRING,
      },
      billingMode: dynamodb.BillingMode.PAY_PER_REQUEST,
      pointInTimeRecoverySpecification: {
        pointInTimeRecoveryEnabled: true,
      },
      timeToLiveAttribute: "expires_at",
      // Another one is a new stream: what nobody has read is lost.
      stream: dynamodb.StreamViewType.NEW_AND_OLD_IMAGES,
      deletionProtection: !this.stackName.endsWith("-e2e"), // the stack of the proofs can be deleted
      removalPolicy: cdk.RemovalPolicy.RETAIN,
    });
    // The failed records themselves: a queue would only get their position.
    const ordersToCopyFailuresBucket = this.bucket("OrdersToCopyFailuresBucket", {
      lifecycleRules: [{ expiration: cdk.Duration.days(14) }],
    });
    const ordersToCopyDeadLetterQueue = this.deadLetterQueue("OrdersToCopyDeadLetterQueue");
    const ordersToCopyFailuresRule = this.objectCreatedRule("OrdersToCopyFailuresRule", {
      description: "Records that copy could not process",
      bucket: ordersToCopyFailuresBucket,
      queue: ordersToCopyDeadLetterQueue,
    });

    const copyFunction = this.lambdaFunction("CopyFunction", {
      name: "copy",
      description: "Writes each change of an order to the copy for reports",
      timeout: cdk.Duration.seconds(60),
      vpc,
      securityGroups: [functionSecurityGroup],
    });

    const replayFunction = this.lambdaFunction("ReplayFunction", {
      name: "replay",
      description: "Sends orders through the stream again",
      timeout: cdk.Duration.seconds(300),
      // It invokes itself; Lambda would stop a chain of 16.
      recursiveLoop: lambda.RecursiveLoop.ALLOW,
    });
    const replayDeadLetterQueue = this.deadLetterQueue("ReplayDeadLetterQueue");
    this.keepFailedEvents("ReplayFunctionInvokes", {
      invoked: replayFunction,
      queue: replayDeadLetterQueue,
      retries: 2,
    });

    const migrateFunction = this.lambdaFunction("MigrateFunction", {
      name: "migrate",
      description: "Applies the schema at each deployment",
      timeout: cdk.Duration.seconds(240),
      vpc,
      securityGroups: [functionSecurityGroup],
    });
    const migrateDeadLetterQueue = this.deadLetterQueue("MigrateDeadLetterQueue");
    const migrateInvokes = this.keepFailedEvents("MigrateFunctionInvokes", {
      invoked: migrateFunction,
      queue: migrateDeadLetterQueue,
      retries: 0,
    });

    // api -> manage
    api.addRoutes({
      path: "/orders/{order_id}",
      methods: [apigatewayv2.HttpMethod.PUT, apigatewayv2.HttpMethod.DELETE],
      integration: new integrations.HttpLambdaIntegration(
        "ManageFunctionIntegration",
        manageFunction,
      ),
      authorizationScopes: ["orders:write"],
    });
    api.addRoutes({
      path: "/orders/{order_id}",
      methods: [apigatewayv2.HttpMethod.GET],
      integration: new integrations.HttpLambdaIntegration(
        "ManageFunctionIntegration",
        manageFunction,
      ),
      authorizationScopes: ["orders:read"],
    });

    // manage -> orders
    ordersTable.grant(manageFunction, "dynamodb:GetItem", "dynamodb:UpdateItem");
    manageFunction.addEnvironment("ORDERS_TABLE_NAME", ordersTable.tableName);

    // orders -> copy
    const ordersStreamArn = (ordersTable.node.defaultChild as dynamodb.CfnTable).attrStreamArn;
    ordersTable.grantStream(
      copyFunction,
      "dynamodb:DescribeStream",
      "dynamodb:GetRecords",
      "dynamodb:GetShardIterator",
    );
    ordersTable.grantTableListStreams(copyFunction);
    iam.Grant.addToPrincipal({
      grantee: copyFunction,
      actions: ["s3:PutObject"],
      resourceArns: [ordersToCopyFailuresBucket.arnForObjects("*")],
    });
    iam.Grant.addToPrincipal({
      grantee: copyFunction,
      actions: ["s3:ListBucket"],
      resourceArns: [ordersToCopyFailuresBucket.bucketArn],
    });
    new lambda.CfnEventSourceMapping(this, "OrdersTableToCopyFunction", {
      eventSourceArn: ordersStreamArn,
      functionName: copyFunction.functionName,
      startingPosition: "TRIM_HORIZON",
      batchSize: 100,
      functionResponseTypes: ["ReportBatchItemFailures"],
      bisectBatchOnFunctionError: true,
      // Long enough for an outage of what the function needs, but limited.
      maximumRetryAttempts: 10000,
      maximumRecordAgeInSeconds: 21600, // 6 hours
      // CDK's own destination would let the function read and delete there too.
      destinationConfig: { onFailure: { destination: ordersToCopyFailuresBucket.bucketArn } },
    });
    copyFunction.addEnvironment(
      "ORDERS_FAILED_RECORDS_BUCKET_NAME",
      ordersToCopyFailuresBucket.bucketName,
    );

    // copy -> reports
    this.letSignIn(copyFunction, reportsCluster, "service", 35);
    // What a function that has ended began must not go on, nor hold its locks.
    copyFunction.addEnvironment("PGOPTIONS", "-c statement_timeout=5s -c lock_timeout=2s");

    // replay -> replay
    // In the function's own policies this would be a circular dependency.
    replayFunction.role?.attachInlinePolicy(
      new iam.Policy(this, "ReplayFunctionInvokesItself", {
        statements: [
          new iam.PolicyStatement({
            actions: ["lambda:InvokeFunction"],
            resources: [replayFunction.functionArn],
          }),
        ],
      }),
    );

    // replay -> orders
    ordersTable.grant(replayFunction, "dynamodb:Scan", "dynamodb:UpdateItem");
    replayFunction.addEnvironment("ORDERS_TABLE_NAME", ordersTable.tableName);

    // migrate -> reports
    this.letSignIn(migrateFunction, reportsCluster, "master", 180);
    const reportsSchema = new cdk.CustomResource(this, "ReportsSchema", {
      resourceType: "Custom::Schema",
      serviceToken: migrateFunction.functionArn,
      serviceTimeout: cdk.Duration.minutes(5),
      // CloudFormation calls the function when one of these has changed.
      properties: {
        ClusterResourceId: reportsCluster.attrDbClusterResourceId,
        Digest: cdk.FileSystem.fingerprint(MIGRATIONS),
        Migrations: readdirSync(MIGRATIONS)
          .filter((file) => file.endsWith(".sql"))
          .sort(),
      },
    });
    // The function answers CloudFormation through the endpoint of S3.
    reportsSchema.node.addDependency(vpc, reportsInstance, migrateInvokes);
    // New code must not run on the old schema.
    copyFunction.node.addDependency(reportsSchema);

    const thresholds = { ...THRESHOLDS, ...props.thresholds };
    const alarms = new Alarms(this, props.alarmTopicArn, props.ticketTopicArn);
    // A message comes there after all its retries, and is deleted after 14 days; new messages set
    // it off, even if older ones remain.
    alarms.page("DeadLettersAlarm", {
      description:
        "Page: Failed messages have come into OrdersToCopyDeadLetterQueue, ReplayDeadLetterQueue " +
        "and MigrateDeadLetterQueue. First: run make dead-letters, then see When a message fails " +
        "in the README",
      value: math(
        "IF(w1 + h1 > 0 AND FILL(DIFF(w1 + h1), 1) > 0, 1, 0) + " +
          "IF(w2 + h2 > 0 AND FILL(DIFF(w2 + h2), 1) > 0, 1, 0) + " +
          "IF(w3 + h3 > 0 AND FILL(DIFF(w3 + h3), 1) > 0, 1, 0)",
        {
          w1: waitingIn(ordersToCopyDeadLetterQueue),
          h1: hiddenIn(ordersToCopyDeadLetterQueue),
          w2: waitingIn(replayDeadLetterQueue),
          h2: hiddenIn(replayDeadLetterQueue),
          w3: waitingIn(migrateDeadLetterQueue),
          h3: hiddenIn(migrateDeadLetterQueue),
        },
      ),
      periods: 20,
      needed: 1,
      clears: false,
    });
    // Nothing else shows it.
    alarms.page("LostEventsAlarm", {
      description:
        "Page: A failed event could not be kept, and is lost, at OrdersToCopyFailuresRule, " +
        "CopyFunction, ReplayFunction and MigrateFunction. First: check the permissions to send " +
        "to the dead-letter queue",
      value: math("m1 + m2 + m3 + m4", {
        m1: metric("AWS/Events", "FailedInvocations", "Sum", {
          RuleName: ordersToCopyFailuresRule.ref,
        }),
        m2: metric("AWS/Lambda", "DestinationDeliveryFailures", "Sum", {
          FunctionName: copyFunction.functionName,
        }),
        m3: metric("AWS/Lambda", "DestinationDeliveryFailures", "Sum", {
          FunctionName: replayFunction.functionName,
        }),
        m4: metric("AWS/Lambda", "DestinationDeliveryFailures", "Sum", {
          FunctionName: migrateFunction.functionName,
        }),
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
    // AWS recommends 15 of 15 minutes.
    alarms.page("CopyFunctionIteratorAgeAlarm", {
      description: "Page: Records wait too long for the copy function. First: look for its errors",
      value: metric("AWS/Lambda", "IteratorAge", "Maximum", {
        FunctionName: copyFunction.functionName,
      }),
      threshold: thresholds.oldestRecordMilliseconds,
      periods: 15,
    });
    // 90 percent for 15 minutes; a cluster that scales reaches its limit for a moment.
    alarms.ticket("ReportsClusterCapacityAlarm", {
      description:
        "Ticket: The database is at the limit of its capacity. First: raise its maximum, or find " +
        "the query",
      value: metric("AWS/RDS", "ACUUtilization", "Average", {
        DBClusterIdentifier: reportsCluster.ref,
      }),
      threshold: 90,
      minutes: 5,
      periods: 3,
    });
    // Callers are told by a status, and events are retried; AWS recommends 3 of 3 minutes.
    alarms.ticket("FunctionErrorsAlarm", {
      description: "Ticket: Invocations of ManageFunction fail. First: see their logs",
      value: math(
        `IF(100 * failed > IF(calls < 9, 24, ${String(thresholds.errorPercent)}) * calls, ` +
          "0, m1)",
        {
          calls: metric("AWS/ApiGateway", "Count", "Sum", { ApiId: api.apiId }),
          failed: metric("AWS/ApiGateway", "5xx", "Sum", { ApiId: api.apiId }),
          m1: manageFunction.metricErrors(),
        },
      ),
      periods: 3,
    });

    new cdk.CfnOutput(this, "ApiUrl", {
      description: "The address of the API",
      value: api.apiEndpoint,
    });
    new cdk.CfnOutput(this, "OrdersTableName", {
      description: "The table of the orders",
      value: ordersTable.tableName,
    });
    new cdk.CfnOutput(this, "OrdersToCopyFailuresBucketName", {
      description: "The bucket of the records that copy could not process",
      value: ordersToCopyFailuresBucket.bucketName,
    });
    new cdk.CfnOutput(this, "OrdersToCopyDeadLetterQueueUrl", {
      description: "The queue of messages about them",
      value: ordersToCopyDeadLetterQueue.queueUrl,
    });
    new cdk.CfnOutput(this, "CopyFunctionName", {
      description: "The function that writes each change of an order to the copy for reports",
      value: copyFunction.functionName,
    });
    new cdk.CfnOutput(this, "CopyFunctionLogGroupName", {
      value: copyFunction.logGroup.logGroupName,
    });
    new cdk.CfnOutput(this, "ReportsClusterId", {
      description: "The database cluster",
      value: reportsCluster.ref,
    });
    new cdk.CfnOutput(this, "ReportsClusterEndpoint", {
      description: "The database of the copy of the orders",
      value: reportsCluster.attrEndpointAddress,
    });
    new cdk.CfnOutput(this, "ReportsClusterPort", { value: reportsCluster.attrEndpointPort });
    new cdk.CfnOutput(this, "ReplayFunctionName", {
      description: "The function that sends orders through the stream again",
      value: replayFunction.functionName,
    });
    new cdk.CfnOutput(this, "ReplayFunctionLogGroupName", {
      value: replayFunction.logGroup.logGroupName,
    });
    new cdk.CfnOutput(this, "ReplayDeadLetterQueueUrl", {
      description: "The queue of the events that it could not process",
      value: replayDeadLetterQueue.queueUrl,
    });
    new cdk.CfnOutput(this, "MigrateFunctionName", {
      description: "The function that applies the schema at each deployment",
      value: migrateFunction.functionName,
    });
    new cdk.CfnOutput(this, "MigrateFunctionLogGroupName", {
      value: migrateFunction.logGroup.logGroupName,
    });
    new cdk.CfnOutput(this, "MigrateDeadLetterQueueUrl", {
      description: "The queue of the events that it could not process",
      value: migrateDeadLetterQueue.queueUrl,
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
        POWERTOOLS_SERVICE_NAME: "eventually-consistent",
        POWERTOOLS_METRICS_NAMESPACE: "EventuallyConsistent",
        NODE_OPTIONS: "--enable-source-maps",
        AWS_MAX_ATTEMPTS: "2", // of a call: 4 seconds each, 1 second between them
      },
    });
  }

  private keepFailedEvents(
    id: string,
    options: { invoked: lambda.Function; queue: sqs.Queue; retries: number },
  ): lambda.CfnEventInvokeConfig {
    const { invoked, queue, retries } = options;
    queue.grant(invoked, "sqs:SendMessage");
    return new lambda.CfnEventInvokeConfig(this, id, {
      functionName: invoked.functionName,
      qualifier: "$LATEST",
      maximumRetryAttempts: retries,
      maximumEventAgeInSeconds: 21600, // 6 hours
      destinationConfig: { onFailure: { destination: queue.queueArn } },
    });
  }

  private bucket(id: string, options: s3.BucketProps = {}): s3.Bucket {
    const bucket = new s3.Bucket(this, id, {
      ...options,
      encryption: s3.BucketEncryption.S3_MANAGED,
      blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
      enforceSSL: true,
    });
    // As an option of the bucket, CDK would set it by a function that may change every bucket.
    const resource = bucket.node.defaultChild as s3.CfnBucket;
    resource.notificationConfiguration = {
      eventBridgeConfiguration: { eventBridgeEnabled: true },
    };
    return bucket;
  }

  private objectCreatedRule(
    id: string,
    options: { description: string; bucket: s3.Bucket; prefix?: string; queue: sqs.Queue },
  ): events.CfnRule {
    const { description, bucket, prefix, queue } = options;
    return this.deadLetterRule(id, {
      description,
      eventPattern: {
        source: ["aws.s3"],
        "detail-type": ["Object Created"],
        detail: {
          bucket: { name: [bucket.bucketName] },
          ...(prefix && { object: { key: [{ prefix }] } }),
        },
      },
      queue,
    });
  }

  private letSignIn(
    inside: lambda.Function,
    cluster: rds.CfnDBCluster,
    user: string,
    patienceSeconds: number,
  ): void {
    iam.Grant.addToPrincipal({
      grantee: inside,
      actions: ["rds-db:connect"],
      resourceArns: [
        this.formatArn({
          service: "rds-db",
          resource: "dbuser",
          resourceName: `${cluster.attrDbClusterResourceId}/${user}`,
          arnFormat: cdk.ArnFormat.COLON_RESOURCE_NAME,
        }),
      ],
    });
    inside.addEnvironment("PGHOST", cluster.attrEndpointAddress);
    inside.addEnvironment("PGPORT", cluster.attrEndpointPort);
    inside.addEnvironment("PGDATABASE", String(cluster.databaseName));
    inside.addEnvironment("PGUSER", user);
    inside.addEnvironment("PGSSLMODE", "verify-full");
    // Lambda's own, with those of RDS.
    inside.addEnvironment("NODE_EXTRA_CA_CERTS", "/var/runtime/ca-cert.pem");
    // Of all attempts; a paused database takes 15 seconds or more to resume.
    inside.addEnvironment("PGCONNECT_TIMEOUT", String(patienceSeconds));
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
