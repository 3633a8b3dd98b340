/** The infrastructure: resources, what flows between them, alarms and outputs. */

import { readdirSync } from "node:fs";
import { join } from "node:path";

import * as cdk from "aws-cdk-lib";
import * as apigatewayv2 from "aws-cdk-lib/aws-apigatewayv2";
import * as authorizers from "aws-cdk-lib/aws-apigatewayv2-authorizers";
import * as integrations from "aws-cdk-lib/aws-apigatewayv2-integrations";
import * as ec2 from "aws-cdk-lib/aws-ec2";
import * as elasticache from "aws-cdk-lib/aws-elasticache";
import * as iam from "aws-cdk-lib/aws-iam";
import * as lambda from "aws-cdk-lib/aws-lambda";
import * as nodejs from "aws-cdk-lib/aws-lambda-nodejs";
import * as logs from "aws-cdk-lib/aws-logs";
import * as rds from "aws-cdk-lib/aws-rds";
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
};

interface Props extends cdk.StackProps {
  /** Where alarms go that need somebody now; without it the stack has a topic of its own. */
  readonly alarmTopicArn?: string | undefined;
  /** Where alarms go that can wait; without it they go to the same topic. */
  readonly ticketTopicArn?: string | undefined;
  readonly thresholds?: Partial<typeof THRESHOLDS>;
}

export class ReadHeavyReportingEngineStack extends cdk.Stack {
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
    const salesSecurityGroup = new ec2.SecurityGroup(this, "SalesSecurityGroup", {
      vpc,
      description: "The database, for the functions that use it",
    });
    salesSecurityGroup.addIngressRule(
      ec2.Peer.securityGroupId(functionSecurityGroup.securityGroupId),
      ec2.Port.tcp(5432),
      "PostgreSQL",
    );
    const salesSubnetGroup = new rds.SubnetGroup(this, "SalesSubnetGroup", {
      description: "The private subnets",
      vpc,
      vpcSubnets: { subnetType: ec2.SubnetType.PRIVATE_ISOLATED },
    });
    // There is no password: users sign in with a token that IAM authorizes.
    // A rds.DatabaseCluster would always have one.
    const salesCluster = new rds.CfnDBCluster(this, "SalesCluster", {
      engine: "aurora-postgresql",
      engineVersion: "16.8", // AWS supports it until 2029; raise it here
      databaseName: "sales",
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
      dbSubnetGroupName: salesSubnetGroup.subnetGroupName,
      vpcSecurityGroupIds: [salesSecurityGroup.securityGroupId],
    });
    salesCluster.applyRemovalPolicy(cdk.RemovalPolicy.SNAPSHOT);
    const salesInstance = new rds.CfnDBInstance(this, "SalesInstance", {
      engine: "aurora-postgresql",
      dbClusterIdentifier: salesCluster.ref,
      dbInstanceClass: "db.serverless",
      publiclyAccessible: false,
      autoMinorVersionUpgrade: false, // off the pinned version, the next deployment would downgrade it
    });
    // Heavy reads do not slow down writes: from tier 2 on, it has a capacity of its own.
    const salesReader = new rds.CfnDBInstance(this, "SalesReader", {
      engine: "aurora-postgresql",
      dbClusterIdentifier: salesCluster.ref,
      dbInstanceClass: "db.serverless",
      promotionTier: 2,
      publiclyAccessible: false,
      autoMinorVersionUpgrade: false,
    });
    salesReader.addResourceDependency(salesInstance); // the first instance is the writer

    const reportsClientSecurityGroup = new ec2.SecurityGroup(this, "ReportsClientSecurityGroup", {
      vpc,
      description: "The functions that use the cache",
    });
    const reportsSecurityGroup = new ec2.SecurityGroup(this, "ReportsSecurityGroup", {
      vpc,
      description: "The cache, for the functions that use it",
    });
    reportsSecurityGroup.addIngressRule(
      ec2.Peer.securityGroupId(reportsClientSecurityGroup.securityGroupId),
      ec2.Port.tcpRange(6379, 6380),
      "Valkey; clients find readers at the second port",
    );
    // It must have a name, of 40 characters at most; the stack's own may be longer.
    const reportsUnique = cdk.Fn.select(
      4,
      cdk.Fn.split("-", cdk.Fn.select(2, cdk.Fn.split("/", this.stackId))),
    );
    const reportsName = `reports-${reportsUnique}`;
    // A role with the permission to connect signs in as this user, which has the cache's name.
    const reportsUser = new elasticache.CfnUser(this, "ReportsUser", {
      engine: "valkey",
      userId: reportsName,
      userName: reportsName,
      authenticationMode: { Type: "iam" },
      // The keys, the commands of the code, and what its client asks of a cluster.
      accessString: [
        "on ~report:* ~lock:* -@all",
        "+del +eval +get +hdel +hget +hset +pexpire +set",
        "+info +cluster|slots +cluster|info",
      ].join(" "),
    });
    const reportsUserGroup = new elasticache.CfnUserGroup(this, "ReportsUserGroup", {
      engine: "valkey",
      userGroupId: reportsUser.ref,
      userIds: [reportsUser.ref],
    });
    const reportsCache = new elasticache.CfnServerlessCache(this, "ReportsCache", {
      serverlessCacheName: reportsName,
      description: "The cache of reports",
      engine: "valkey",
      majorEngineVersion: "8",
      userGroupId: reportsUserGroup.ref,
      // Above these it evicts what was used least recently, and throttles: they bound the bill.
      cacheUsageLimits: {
        dataStorage: { maximum: 1, unit: "GB" },
        ecpuPerSecond: { maximum: 10000 },
      },
      subnetIds: vpc.isolatedSubnets.map((subnet) => subnet.subnetId),
      securityGroupIds: [reportsSecurityGroup.securityGroupId],
    });

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
        throttlingRateLimit: 25,
        throttlingBurstLimit: 50,
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

    const reportFunction = this.lambdaFunction("ReportFunction", {
      name: "report",
      description: "Serves reports, from the cache if possible",
      timeout: cdk.Duration.seconds(28),
      vpc,
      securityGroups: [functionSecurityGroup, reportsClientSecurityGroup],
    });

    const recordFunction = this.lambdaFunction("RecordFunction", {
      name: "record",
      description: "Records sales, and invalidates their reports",
      timeout: cdk.Duration.seconds(28),
      vpc,
      securityGroups: [functionSecurityGroup, reportsClientSecurityGroup],
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

    // api -> report
    api.addRoutes({
      path: "/shops/{shop}/reports/{month}",
      methods: [apigatewayv2.HttpMethod.GET],
      integration: new integrations.HttpLambdaIntegration(
        "ReportFunctionIntegration",
        reportFunction,
      ),
    });

    // api -> record
    api.addRoutes({
      path: "/sales/{sale_id}",
      methods: [apigatewayv2.HttpMethod.PUT],
      integration: new integrations.HttpLambdaIntegration(
        "RecordFunctionIntegration",
        recordFunction,
      ),
    });

    // report -> reports
    iam.Grant.addToPrincipal({
      grantee: reportFunction,
      actions: ["elasticache:Connect"],
      resourceArns: [reportsCache.attrArn],
    });
    iam.Grant.addToPrincipal({
      grantee: reportFunction,
      actions: ["elasticache:Connect"],
      resourceArns: [reportsUser.attrArn],
    });
    // The user has the cache's name. Without TLS, which is the second s, a client would hang.
    reportFunction.addEnvironment(
      "REPORTS_URL",
      `rediss://${reportsCache.ref}@${reportsCache.attrEndpointAddress}:${reportsCache.attrEndpointPort}`,
    );

    // report -> sales
    this.letSignIn(
      reportFunction,
      salesCluster,
      "service",
      22,
      salesCluster.attrReadEndpointAddress,
    );
    // What a function that has ended began must not go on, nor hold its locks.
    reportFunction.addEnvironment("PGOPTIONS", "-c statement_timeout=20s -c lock_timeout=5s");

    // record -> sales
    this.letSignIn(recordFunction, salesCluster, "service", 22);
    // What a function that has ended began must not go on, nor hold its locks.
    recordFunction.addEnvironment("PGOPTIONS", "-c statement_timeout=20s -c lock_timeout=5s");

    // record -> reports
    iam.Grant.addToPrincipal({
      grantee: recordFunction,
      actions: ["elasticache:Connect"],
      resourceArns: [reportsCache.attrArn],
    });
    iam.Grant.addToPrincipal({
      grantee: recordFunction,
      actions: ["elasticache:Connect"],
      resourceArns: [reportsUser.attrArn],
    });
    // The user has the cache's name. Without TLS, which is the second s, a client would hang.
    recordFunction.addEnvironment(
      "REPORTS_URL",
      `rediss://${reportsCache.ref}@${reportsCache.attrEndpointAddress}:${reportsCache.attrEndpointPort}`,
    );

    // migrate -> sales
    this.letSignIn(migrateFunction, salesCluster, "master", 180);
    const salesSchema = new cdk.CustomResource(this, "SalesSchema", {
      resourceType: "Custom::Schema",
      serviceToken: migrateFunction.functionArn,
      serviceTimeout: cdk.Duration.minutes(5),
      // CloudFormation calls the function when one of these has changed.
      properties: {
        ClusterResourceId: salesCluster.attrDbClusterResourceId,
        Digest: cdk.FileSystem.fingerprint(MIGRATIONS),
        Migrations: readdirSync(MIGRATIONS)
          .filter((file) => file.endsWith(".sql"))
          .sort(),
      },
    });
    // The function answers CloudFormation through the endpoint of S3.
    salesSchema.node.addDependency(vpc, salesInstance, migrateInvokes);
    // New code must not run on the old schema.
    reportFunction.node.addDependency(salesSchema);
    recordFunction.node.addDependency(salesSchema);

    const thresholds = { ...THRESHOLDS, ...props.thresholds };
    const alarms = new Alarms(this, props.alarmTopicArn, props.ticketTopicArn);
    // A message comes there after all its retries, and is deleted after 14 days; new messages set
    // it off, even if older ones remain.
    alarms.page("DeadLettersAlarm", {
      description:
        "Page: Failed messages have come into MigrateDeadLetterQueue. First: run make " +
        "dead-letters, then see When a message fails in the README",
      value: math("IF(w1 + h1 > 0 AND FILL(DIFF(w1 + h1), 1) > 0, 1, 0)", {
        w1: waitingIn(migrateDeadLetterQueue),
        h1: hiddenIn(migrateDeadLetterQueue),
      }),
      periods: 20,
      needed: 1,
      clears: false,
    });
    // Nothing else shows it.
    alarms.page("LostEventsAlarm", {
      description:
        "Page: A failed event could not be kept, and is lost, at MigrateFunction. First: check " +
        "the permissions to send to the dead-letter queue",
      value: metric("AWS/Lambda", "DestinationDeliveryFailures", "Sum", {
        FunctionName: migrateFunction.functionName,
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
    // 90 percent for 15 minutes; a cluster that scales reaches its limit for a moment.
    alarms.ticket("SalesClusterCapacityAlarm", {
      description:
        "Ticket: The database is at the limit of its capacity. First: raise its maximum, or find " +
        "the query",
      value: metric("AWS/RDS", "ACUUtilization", "Average", {
        DBClusterIdentifier: salesCluster.ref,
      }),
      threshold: 90,
      minutes: 5,
      periods: 3,
    });
    // Callers work without the cache meanwhile; AWS recommends 5 of 5 minutes for throttles.
    alarms.ticket("ReportsCacheThrottlesAlarm", {
      description:
        "Ticket: The cache is throttled. First: raise ECPUPerSecond of its CacheUsageLimits",
      value: metric("AWS/ElastiCache", "ThrottledCmds", "Sum", { clusterId: reportsCache.ref }),
      periods: 5,
    });
    // Callers are still served; 3 of 3 minutes, since a cache may fail over.
    alarms.ticket("ReportFunctionWithoutCacheAlarm", {
      description:
        "Ticket: The report function works without its cache. First: check the cache and its " +
        "security group",
      value: metric("ReadHeavyReportingEngine", "CacheUnavailable", "Sum", {
        FunctionName: reportFunction.functionName,
        service: "read-heavy-reporting-engine",
      }),
      periods: 3,
    });
    // Callers are still served; 3 of 3 minutes, since a cache may fail over.
    alarms.ticket("RecordFunctionWithoutCacheAlarm", {
      description:
        "Ticket: The record function works without its cache. First: check the cache and its " +
        "security group",
      value: metric("ReadHeavyReportingEngine", "CacheUnavailable", "Sum", {
        FunctionName: recordFunction.functionName,
        service: "read-heavy-reporting-engine",
      }),
      periods: 3,
    });
    // Callers are told by a status, and events are retried; AWS recommends 3 of 3 minutes.
    alarms.ticket("FunctionErrorsAlarm", {
      description:
        "Ticket: Invocations of ReportFunction and RecordFunction fail. First: see their logs",
      value: math(
        `IF(100 * failed > IF(calls < 9, 24, ${String(thresholds.errorPercent)}) * calls, ` +
          "0, m1_1 + m1_2)",
        {
          calls: metric("AWS/ApiGateway", "Count", "Sum", { ApiId: api.apiId }),
          failed: metric("AWS/ApiGateway", "5xx", "Sum", { ApiId: api.apiId }),
          m1_1: reportFunction.metricErrors(),
          m1_2: recordFunction.metricErrors(),
        },
      ),
      periods: 3,
    });

    new cdk.CfnOutput(this, "ApiUrl", {
      description: "The address of the API",
      value: api.apiEndpoint,
    });
    new cdk.CfnOutput(this, "ReportFunctionName", {
      description: "The function that serves reports, from the cache if possible",
      value: reportFunction.functionName,
    });
    new cdk.CfnOutput(this, "ReportFunctionLogGroupName", {
      value: reportFunction.logGroup.logGroupName,
    });
    new cdk.CfnOutput(this, "RecordFunctionName", {
      description: "The function that records sales, and invalidates their reports",
      value: recordFunction.functionName,
    });
    new cdk.CfnOutput(this, "RecordFunctionLogGroupName", {
      value: recordFunction.logGroup.logGroupName,
    });
    new cdk.CfnOutput(this, "SalesClusterId", {
      description: "The database cluster",
      value: salesCluster.ref,
    });
    new cdk.CfnOutput(this, "SalesClusterEndpoint", {
      description: "The database of the sales, and the version of each report",
      value: salesCluster.attrEndpointAddress,
    });
    new cdk.CfnOutput(this, "SalesClusterPort", { value: salesCluster.attrEndpointPort });
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
        POWERTOOLS_SERVICE_NAME: "read-heavy-reporting-engine",
        POWERTOOLS_METRICS_NAMESPACE: "ReadHeavyReportingEngine",
        NODE_OPTIONS: "--enable-source-maps",
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

  private letSignIn(
    inside: lambda.Function,
    cluster: rds.CfnDBCluster,
    user: string,
    patienceSeconds: number,
    host = cluster.attrEndpointAddress,
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
    inside.addEnvironment("PGHOST", host);
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

  private logGroup(id: string, name?: string): logs.LogGroup {
    return new logs.LogGroup(this, id, {
      ...(name && { logGroupName: name }),
      retention: logs.RetentionDays.ONE_MONTH,
      removalPolicy: cdk.RemovalPolicy.DESTROY,
    });
  }
}
