/** The infrastructure: resources, what flows between them, alarms and outputs. */

import { readdirSync } from "node:fs";
import { join } from "node:path";

import * as cdk from "aws-cdk-lib";
import * as ec2 from "aws-cdk-lib/aws-ec2";
import * as iam from "aws-cdk-lib/aws-iam";
import * as lambda from "aws-cdk-lib/aws-lambda";
import * as nodejs from "aws-cdk-lib/aws-lambda-nodejs";
import * as logs from "aws-cdk-lib/aws-logs";
import * as rds from "aws-cdk-lib/aws-rds";
import * as sqs from "aws-cdk-lib/aws-sqs";
import type { Construct } from "constructs";

import { Alarms, deletedFrom, hiddenIn, math, metric, oldestIn, waitingIn } from "./alarms.ts";

const MIGRATIONS = join(import.meta.dirname, "../src/migrations");

/** From when on alarms go off: what is normal differs from service to service. */
const THRESHOLDS = {
  /** How long a message may wait, in seconds; 1.5 times the longest normal wait. */
  oldestMessageSeconds: 1500,
};

interface Props extends cdk.StackProps {
  /** Where alarms go that need somebody now; without it the stack has a topic of its own. */
  readonly alarmTopicArn?: string | undefined;
  /** Where alarms go that can wait; without it they go to the same topic. */
  readonly ticketTopicArn?: string | undefined;
  readonly thresholds?: Partial<typeof THRESHOLDS>;
}

export class FrugalConsumerStack extends cdk.Stack {
  constructor(scope: Construct, id: string, props: Props = {}) {
    super(scope, id, props);

    // Two private subnets, with gateway endpoints for S3 and DynamoDB.
    // IPv6 leads to SQS, and nobody in: it costs nothing.
    const vpc = new ec2.Vpc(this, "Vpc", {
      ipAddresses: ec2.IpAddresses.cidr("10.0.0.0/23"),
      maxAzs: 2,
      ipProtocol: ec2.IpProtocol.DUAL_STACK,
      natGateways: 0,
      createInternetGateway: false,
      // It is unused; to close it CDK would add a function that may change groups.
      restrictDefaultSecurityGroup: false,
      subnetConfiguration: [
        {
          name: "Private",
          subnetType: ec2.SubnetType.PRIVATE_WITH_EGRESS,
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
    functionSecurityGroup.addEgressRule(ec2.Peer.anyIpv6(), ec2.Port.HTTPS, "to SQS");
    const recordsSecurityGroup = new ec2.SecurityGroup(this, "RecordsSecurityGroup", {
      vpc,
      description: "The database, for the functions that use it",
    });
    recordsSecurityGroup.addIngressRule(
      ec2.Peer.securityGroupId(functionSecurityGroup.securityGroupId),
      ec2.Port.tcp(5432),
      "PostgreSQL",
    );
    const recordsSubnetGroup = new rds.SubnetGroup(this, "RecordsSubnetGroup", {
      description: "The private subnets",
      vpc,
      vpcSubnets: { subnetType: ec2.SubnetType.PRIVATE_WITH_EGRESS },
    });
    // There is no password: users sign in with a token that IAM authorizes.
    // A rds.DatabaseCluster would always have one.
    const recordsCluster = new rds.CfnDBCluster(this, "RecordsCluster", {
      engine: "aurora-postgresql",
      engineVersion: "16.8", // AWS supports it until 2029; raise it here
      databaseName: "records",
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
      dbSubnetGroupName: recordsSubnetGroup.subnetGroupName,
      vpcSecurityGroupIds: [recordsSecurityGroup.securityGroupId],
    });
    recordsCluster.applyRemovalPolicy(cdk.RemovalPolicy.SNAPSHOT);
    const recordsInstance = new rds.CfnDBInstance(this, "RecordsInstance", {
      engine: "aurora-postgresql",
      dbClusterIdentifier: recordsCluster.ref,
      dbInstanceClass: "db.serverless",
      publiclyAccessible: false,
      autoMinorVersionUpgrade: false, // off the pinned version, the next deployment would downgrade it
    });

    const usageDeadLetterQueue = this.deadLetterQueue("UsageDeadLetterQueue");
    const usageQueue = new sqs.Queue(this, "UsageQueue", {
      encryption: sqs.QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: cdk.Duration.days(4),
      // Six times the function's timeout.
      visibilityTimeout: cdk.Duration.seconds(360),
      deadLetterQueue: {
        queue: usageDeadLetterQueue,
        // An outage of an hour makes no dead letter.
        maxReceiveCount: 11,
      },
    });

    const storeFunction = this.lambdaFunction("StoreFunction", {
      name: "store",
      description: "Stores each usage record once",
      timeout: cdk.Duration.seconds(60),
      vpc,
      securityGroups: [functionSecurityGroup],
      ipv6AllowedForDualStack: true,
    });
    // SQS answers over IPv6.
    storeFunction.addEnvironment("AWS_USE_DUALSTACK_ENDPOINT", "true");

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

    // usage -> store
    usageQueue.grant(
      storeFunction,
      "sqs:ReceiveMessage",
      "sqs:DeleteMessage",
      "sqs:GetQueueAttributes",
    );
    usageDeadLetterQueue.grant(storeFunction, "sqs:SendMessage");
    storeFunction.addEventSourceMapping("UsageQueue", {
      eventSourceArn: usageQueue.queueArn,
      batchSize: 1,
      reportBatchItemFailures: true,
      maxConcurrency: 2,
    });
    storeFunction.addEnvironment("DEAD_LETTER_QUEUE_URL", usageDeadLetterQueue.queueUrl);

    // store -> records
    this.letSignIn(storeFunction, recordsCluster, "service", 35);
    // What a function that has ended began must not go on, nor hold its locks.
    storeFunction.addEnvironment("PGOPTIONS", "-c statement_timeout=5s -c lock_timeout=2s");

    // migrate -> records
    this.letSignIn(migrateFunction, recordsCluster, "master", 180);
    const recordsSchema = new cdk.CustomResource(this, "RecordsSchema", {
      resourceType: "Custom::Schema",
      serviceToken: migrateFunction.functionArn,
      serviceTimeout: cdk.Duration.minutes(5),
      // CloudFormation calls the function when one of these has changed.
      properties: {
        ClusterResourceId: recordsCluster.attrDbClusterResourceId,
        Digest: cdk.FileSystem.fingerprint(MIGRATIONS),
        Migrations: readdirSync(MIGRATIONS)
          .filter((file) => file.endsWith(".sql"))
          .sort(),
      },
    });
    // The function answers CloudFormation through the endpoint of S3.
    recordsSchema.node.addDependency(vpc, recordsInstance, migrateInvokes);
    // New code must not run on the old schema.
    storeFunction.node.addDependency(recordsSchema);

    const thresholds = { ...THRESHOLDS, ...props.thresholds };
    const alarms = new Alarms(this, props.alarmTopicArn, props.ticketTopicArn);
    // A message comes there after all its retries, and is deleted after 14 days; new messages set
    // it off, even if older ones remain.
    alarms.page("DeadLettersAlarm", {
      description:
        "Page: Failed messages have come into UsageDeadLetterQueue and MigrateDeadLetterQueue. " +
        "First: run make dead-letters, then see When a message fails in the README",
      value: math(
        "IF(w1 + h1 > 0 AND FILL(DIFF(w1 + h1), 1) > 0, 1, 0) + " +
          "IF(w2 + h2 > 0 AND FILL(DIFF(w2 + h2), 1) > 0, 1, 0)",
        {
          w1: waitingIn(usageDeadLetterQueue),
          h1: hiddenIn(usageDeadLetterQueue),
          w2: waitingIn(migrateDeadLetterQueue),
          h2: hiddenIn(migrateDeadLetterQueue),
        },
      ),
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
    // 3 messages or more of which none is deleted count as if they waited until the queue drops
    // them; in 4 of 4 minutes.
    alarms.page("UsageQueueAgeAlarm", {
      description:
        "Page: The store function processes no message, or messages wait too long. First: look " +
        "for errors and throttles",
      value: math("IF(deleted == 0 AND waiting + hidden >= 3, 345600, age)", {
        age: oldestIn(usageQueue),
        deleted: deletedFrom(usageQueue),
        waiting: waitingIn(usageQueue),
        hidden: hiddenIn(usageQueue),
      }),
      threshold: thresholds.oldestMessageSeconds,
      periods: 4,
    });
    // 90 percent for 15 minutes; a cluster that scales reaches its limit for a moment.
    alarms.ticket("RecordsClusterCapacityAlarm", {
      description:
        "Ticket: The database is at the limit of its capacity. First: raise its maximum, or find " +
        "the query",
      value: metric("AWS/RDS", "ACUUtilization", "Average", {
        DBClusterIdentifier: recordsCluster.ref,
      }),
      threshold: 90,
      minutes: 5,
      periods: 3,
    });
    // Callers are told by a status, and events are retried; three receives of a message in a row;
    // if no message of a queue is processed, its own alarm goes off.
    alarms.ticket("FunctionErrorsAlarm", {
      description: "Ticket: Invocations of StoreFunction fail. First: see their logs",
      value: math("IF(deleted1 == 0 AND waiting1 + hidden1 >= 3, 0, m1)", {
        m1: storeFunction.metricErrors(),
        deleted1: deletedFrom(usageQueue),
        waiting1: waitingIn(usageQueue),
        hidden1: hiddenIn(usageQueue),
      }),
      minutes: 7,
      periods: 3,
    });

    new cdk.CfnOutput(this, "UsageQueueUrl", {
      description: "The queue that holds usage records until they are stored",
      value: usageQueue.queueUrl,
    });
    new cdk.CfnOutput(this, "UsageDeadLetterQueueUrl", { value: usageDeadLetterQueue.queueUrl });
    new cdk.CfnOutput(this, "StoreFunctionName", {
      description: "The function that stores each usage record once",
      value: storeFunction.functionName,
    });
    new cdk.CfnOutput(this, "StoreFunctionLogGroupName", {
      value: storeFunction.logGroup.logGroupName,
    });
    new cdk.CfnOutput(this, "RecordsClusterId", {
      description: "The database cluster",
      value: recordsCluster.ref,
    });
    new cdk.CfnOutput(this, "RecordsClusterEndpoint", {
      description: "The database of the usage records",
      value: recordsCluster.attrEndpointAddress,
    });
    new cdk.CfnOutput(this, "RecordsClusterPort", { value: recordsCluster.attrEndpointPort });
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
        POWERTOOLS_SERVICE_NAME: "frugal-consumer",
        POWERTOOLS_METRICS_NAMESPACE: "FrugalConsumer",
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

  private logGroup(id: string): logs.LogGroup {
    return new logs.LogGroup(this, id, {
      retention: logs.RetentionDays.ONE_MONTH,
      removalPolicy: cdk.RemovalPolicy.DESTROY,
    });
  }
}
