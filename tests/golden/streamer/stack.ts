/** The infrastructure: resources, what flows between them, alarms and outputs. */

import { readFileSync } from "node:fs";
import { join } from "node:path";

import * as cdk from "aws-cdk-lib";
import * as apigateway from "aws-cdk-lib/aws-apigateway";
import * as athena from "aws-cdk-lib/aws-athena";
import * as cloudwatch from "aws-cdk-lib/aws-cloudwatch";
import * as events from "aws-cdk-lib/aws-events";
import * as glue from "aws-cdk-lib/aws-glue";
import * as iam from "aws-cdk-lib/aws-iam";
import * as kinesis from "aws-cdk-lib/aws-kinesis";
import * as firehose from "aws-cdk-lib/aws-kinesisfirehose";
import * as lambda from "aws-cdk-lib/aws-lambda";
import * as nodejs from "aws-cdk-lib/aws-lambda-nodejs";
import * as logs from "aws-cdk-lib/aws-logs";
import * as s3 from "aws-cdk-lib/aws-s3";
import * as sqs from "aws-cdk-lib/aws-sqs";
import type { Construct } from "constructs";

import { Alarms, hiddenIn, math, metric, waitingIn } from "./alarms.ts";

/** How a request becomes a call of an AWS service, and its result an answer. */
const TEMPLATES = join(import.meta.dirname, "api");

/** What does not fit the model of its route is answered with 400. */
const EVENT: apigateway.JsonSchema = {
  type: apigateway.JsonSchemaType.OBJECT,
  required: ["id", "type", "page", "occurred_at"],
  properties: {
    id: {
      type: apigateway.JsonSchemaType.STRING,
      pattern: "^[A-Za-z0-9_-]{1,64}$",
    },
    type: {
      type: apigateway.JsonSchemaType.STRING,
      enum: ["page-view", "click", "purchase"],
    },
    page: {
      type: apigateway.JsonSchemaType.STRING,
      minLength: 1,
      maxLength: 2048,
      pattern: String.raw`^[^\u0000]*$`,
    },
    occurred_at: {
      type: apigateway.JsonSchemaType.STRING,
      pattern: String.raw`^[12]\d{3}-\d\d-\d\dT([01]\d|2[0-3]):\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:[0-5]\d)$`,
    },
  },
};
const BATCH: apigateway.JsonSchema = {
  type: apigateway.JsonSchemaType.OBJECT,
  required: ["events"],
  properties: {
    events: {
      type: apigateway.JsonSchemaType.ARRAY,
      minItems: 1,
      maxItems: 500,
      items: EVENT,
    },
  },
};

/** From when on alarms go off: what is normal differs from service to service. */
const THRESHOLDS = {
  /** Which share of the calls may fail, in percent; AWS recommends 5. */
  errorPercent: 5,
  /** How long 90 percent of the responses may take, in milliseconds; AWS recommends 2500. */
  latencyMilliseconds: 2500,
  /** How long a record may wait in a stream, in milliseconds. */
  oldestRecordMilliseconds: 900_000,
};

interface Props extends cdk.StackProps {
  /** Where alarms go that need somebody now; without it the stack has a topic of its own. */
  readonly alarmTopicArn?: string | undefined;
  /** Where alarms go that can wait; without it they go to the same topic. */
  readonly ticketTopicArn?: string | undefined;
  readonly thresholds?: Partial<typeof THRESHOLDS>;
}

export class StreamerStack extends cdk.Stack {
  constructor(scope: Construct, id: string, props: Props = {}) {
    super(scope, id, props);

    const apiLogGroup = this.logGroup("ApiLogGroup", `/aws/vendedlogs/apis/${this.stackName}-api`);
    new logs.MetricFilter(this, "ApiRefusedDataFilter", {
      logGroup: apiLogGroup,
      filterPattern: logs.FilterPattern.literal(
        '{($.status = "400" || $.status = "413" || $.status = "415") && $.apiId = *}',
      ),
      metricNamespace: "Streamer",
      metricName: "RefusedData",
      dimensions: { ApiId: "$.apiId" },
    });
    const api = new apigateway.RestApi(this, "Api", {
      restApiName: this.stackName,
      endpointTypes: [apigateway.EndpointType.REGIONAL],
      defaultMethodOptions: { authorizationType: apigateway.AuthorizationType.IAM },
      cloudWatchRole: false, // it would replace the role of the whole account
      deployOptions: {
        stageName: "live",
        tracingEnabled: true,
        throttlingRateLimit: 500,
        throttlingBurstLimit: 1000,
        accessLogDestination: new apigateway.LogGroupLogDestination(apiLogGroup),
        accessLogFormat: apigateway.AccessLogFormat.custom(
          this.toJsonString({
            requestId: "$context.requestId",
            time: "$context.requestTime",
            apiId: "$context.apiId",
            route: "$context.httpMethod $context.resourcePath",
            status: "$context.status",
            latency: "$context.responseLatency",
            error: "$context.error.message",
            traceId: "$context.xrayTraceId",
            integrationRequestId: "$context.awsEndpointRequestId",
            sourceIp: "$context.identity.sourceIp",
            subject: "$context.identity.userArn",
            integrationError: "$context.integrationErrorMessage",
            userAgent: "$context.identity.userAgent",
          }),
        ),
      },
    });
    api.node.tryRemoveChild("Endpoint"); // an output of its own; ApiUrl says it
    const bodyValidator = api.addRequestValidator("Body", { validateRequestBody: true });
    const eventModel = api.addModel("Event", { schema: EVENT });
    const batchModel = api.addModel("Batch", { schema: BATCH });
    const apiRole = new iam.Role(this, "ApiRole", {
      assumedBy: new iam.ServicePrincipal("apigateway.amazonaws.com"),
    });

    const eventsStream = new kinesis.Stream(this, "EventsStream", {
      streamMode: kinesis.StreamMode.ON_DEMAND,
      retentionPeriod: cdk.Duration.hours(24),
      encryption: kinesis.StreamEncryption.MANAGED,
      removalPolicy: cdk.RemovalPolicy.DESTROY,
    });
    // The failed records themselves: a queue would only get their position.
    const eventsToCountFailuresBucket = this.bucket("EventsToCountFailuresBucket", {
      lifecycleRules: [{ expiration: cdk.Duration.days(14) }],
    });
    const eventsToCountDeadLetterQueue = this.deadLetterQueue("EventsToCountDeadLetterQueue");
    const eventsToCountFailuresRule = this.objectCreatedRule("EventsToCountFailuresRule", {
      description: "Records that count could not process",
      bucket: eventsToCountFailuresBucket,
      queue: eventsToCountDeadLetterQueue,
    });

    const transformFunction = this.lambdaFunction("TransformFunction", {
      name: "transform",
      description: "Converts each event to the format in which it is stored",
      timeout: cdk.Duration.seconds(60),
    });

    const archiveBucket = this.bucket("ArchiveBucket");
    const archiveDatabase = new glue.CfnDatabase(this, "ArchiveDatabase", {
      catalogId: this.account,
      // Athena takes hyphens only in quotes.
      databaseInput: { name: this.stackName.replaceAll("-", "_") },
    });
    const archiveWorkGroup = new athena.CfnWorkGroup(this, "ArchiveWorkGroup", {
      name: this.stackName,
      recursiveDeleteOption: true,
      workGroupConfiguration: {
        enforceWorkGroupConfiguration: true,
        // 100 GB, which cost $0.49.
        bytesScannedCutoffPerQuery: 107374182400,
        // Athena keeps results for a day, at no cost.
        managedQueryResultsConfiguration: { enabled: true },
      },
    });
    // Change its columns by Athena (ALTER TABLE), never here: an update by CloudFormation takes away
    // the place of its metadata.
    const archiveTable = new glue.CfnTable(this, "ArchiveTable", {
      catalogId: this.account,
      databaseName: archiveDatabase.ref,
      openTableFormatInput: {
        icebergInput: { metadataOperation: "CREATE", version: "2" }, // Firehose writes to no other
      },
      tableInput: {
        name: "events",
        tableType: "EXTERNAL_TABLE",
        storageDescriptor: {
          location: archiveBucket.s3UrlForObject("events"),
          columns: [
            { name: "id", type: "string" },
            { name: "type", type: "string" },
            { name: "page", type: "string" },
            { name: "occurred_at", type: "string" },
            { name: "received_at", type: "string" },
          ],
        },
      },
    });
    const catalogArn = this.formatArn({ service: "glue", resource: "catalog" });
    const archiveDatabaseArn = this.formatArn({
      service: "glue",
      resource: "database",
      resourceName: archiveDatabase.ref,
    });
    const archiveTableArn = this.formatArn({
      service: "glue",
      resource: "table",
      resourceName: `${archiveDatabase.ref}/events`,
    });

    const countFunction = this.lambdaFunction("CountFunction", {
      name: "count",
      description: "Counts the events of each type as they arrive",
      timeout: cdk.Duration.seconds(30),
    });

    const batchesDeliveryStreamLogGroup = this.logGroup(
      "BatchesDeliveryStreamLogGroup",
      `/aws/kinesisfirehose/${this.stackName}-batches`,
    );
    const batchesLogStream = new logs.LogStream(this, "BatchesDeliveryStreamLogStream", {
      logGroup: batchesDeliveryStreamLogGroup,
      logStreamName: "delivery",
      removalPolicy: cdk.RemovalPolicy.DESTROY,
    });
    const batchesDeliveryStreamRole = new iam.Role(this, "BatchesDeliveryStreamRole", {
      assumedBy: new iam.ServicePrincipal("firehose.amazonaws.com"),
      inlinePolicies: {
        deliver: new iam.PolicyDocument({
          statements: [
            new iam.PolicyStatement({
              actions: [
                "kinesis:DescribeStream",
                "kinesis:GetRecords",
                "kinesis:GetShardIterator",
                "kinesis:ListShards",
              ],
              resources: [eventsStream.streamArn],
            }),
            new iam.PolicyStatement({
              actions: ["glue:GetDatabase", "glue:GetTable", "glue:UpdateTable"],
              resources: [catalogArn],
            }),
            new iam.PolicyStatement({
              actions: ["glue:GetDatabase", "glue:GetTable", "glue:UpdateTable"],
              resources: [archiveDatabaseArn],
            }),
            new iam.PolicyStatement({
              actions: ["glue:GetDatabase", "glue:GetTable", "glue:UpdateTable"],
              resources: [archiveTableArn],
            }),
            new iam.PolicyStatement({
              actions: [
                "s3:AbortMultipartUpload",
                "s3:DeleteObject",
                "s3:GetObject",
                "s3:PutObject",
              ],
              resources: [archiveBucket.arnForObjects("*")],
            }),
            new iam.PolicyStatement({
              actions: ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"],
              resources: [archiveBucket.bucketArn],
            }),
            new iam.PolicyStatement({
              actions: ["lambda:InvokeFunction", "lambda:GetFunctionConfiguration"],
              resources: [transformFunction.functionArn],
            }),
            new iam.PolicyStatement({
              actions: ["logs:PutLogEvents"],
              resources: [batchesDeliveryStreamLogGroup.logGroupArn],
            }),
          ],
        }),
      },
    });
    // CDK's own construct would let the role do more than Firehose needs.
    const batchesDeliveryStream = new firehose.CfnDeliveryStream(this, "BatchesDeliveryStream", {
      deliveryStreamType: "KinesisStreamAsSource",
      kinesisStreamSourceConfiguration: {
        kinesisStreamArn: eventsStream.streamArn,
        roleArn: batchesDeliveryStreamRole.roleArn,
      },
      icebergDestinationConfiguration: {
        roleArn: batchesDeliveryStreamRole.roleArn,
        appendOnly: true, // each record is one more row, so Firehose scales by itself
        catalogConfiguration: { catalogArn },
        destinationTableConfigurationList: [
          {
            destinationDatabaseName: archiveDatabase.ref,
            destinationTableName: archiveTable.ref,
          },
        ],
        // The most; then it keeps the rows under errors/.
        retryOptions: { durationInSeconds: 7200 },
        s3BackupMode: "FailedDataOnly",
        bufferingHints: {
          intervalInSeconds: 60,
          sizeInMBs: 64,
        },
        s3Configuration: {
          bucketArn: archiveBucket.bucketArn,
          roleArn: batchesDeliveryStreamRole.roleArn,
          errorOutputPrefix: "errors/!{firehose:error-output-type}/!{timestamp:yyyy/MM/dd/HH}/",
          compressionFormat: "GZIP",
        },
        processingConfiguration: {
          enabled: true,
          processors: [
            {
              type: "Lambda",
              parameters: [
                {
                  parameterName: "LambdaArn",
                  parameterValue: transformFunction.functionArn,
                },
                // What it answers may be larger, and must be less than 6 MB.
                {
                  parameterName: "BufferSizeInMBs",
                  parameterValue: "1",
                },
              ],
            },
          ],
        },
        cloudWatchLoggingOptions: {
          enabled: true,
          logGroupName: batchesDeliveryStreamLogGroup.logGroupName,
          logStreamName: batchesLogStream.logStreamName,
        },
      },
    });
    const batchesDeadLetterQueue = this.deadLetterQueue("BatchesDeadLetterQueue");
    const archiveErrorsRule = this.objectCreatedRule("ArchiveErrorsRule", {
      description: "Records that batches could not transform or deliver",
      bucket: archiveBucket,
      prefix: "errors/",
      queue: batchesDeadLetterQueue,
    });

    // api -> events
    eventsStream.grant(apiRole, "kinesis:PutRecord", "kinesis:PutRecords");
    const putEventIntegration = this.streamIntegration("PutRecord", {
      template: "put-event",
      stream: eventsStream,
      role: apiRole,
    });
    api.root.resourceForPath("/events").addMethod("POST", putEventIntegration, {
      requestValidator: bodyValidator,
      requestModels: { "application/json": eventModel },
      methodResponses: [{ statusCode: "202" }, { statusCode: "502" }],
    });
    const putBatchIntegration = this.streamIntegration("PutRecords", {
      template: "put-batch",
      stream: eventsStream,
      role: apiRole,
    });
    api.root.resourceForPath("/batches").addMethod("POST", putBatchIntegration, {
      requestValidator: bodyValidator,
      requestModels: { "application/json": batchModel },
      methodResponses: [{ statusCode: "202" }, { statusCode: "502" }],
    });

    // events -> count
    eventsStream.grant(
      countFunction,
      "kinesis:DescribeStream",
      "kinesis:DescribeStreamSummary",
      "kinesis:GetRecords",
      "kinesis:GetShardIterator",
      "kinesis:ListShards",
    );
    iam.Grant.addToPrincipal({
      grantee: countFunction,
      actions: ["s3:PutObject"],
      resourceArns: [eventsToCountFailuresBucket.arnForObjects("*")],
    });
    iam.Grant.addToPrincipal({
      grantee: countFunction,
      actions: ["s3:ListBucket"],
      resourceArns: [eventsToCountFailuresBucket.bucketArn],
    });
    new lambda.CfnEventSourceMapping(this, "EventsStreamToCountFunction", {
      eventSourceArn: eventsStream.streamArn,
      functionName: countFunction.functionName,
      startingPosition: "TRIM_HORIZON",
      batchSize: 100,
      functionResponseTypes: ["ReportBatchItemFailures"],
      bisectBatchOnFunctionError: true,
      // Long enough for an outage of what the function needs, but limited.
      maximumRetryAttempts: 10000,
      maximumRecordAgeInSeconds: 21600, // 6 hours
      // CDK's own destination would let the function read and delete there too.
      destinationConfig: { onFailure: { destination: eventsToCountFailuresBucket.bucketArn } },
    });
    countFunction.addEnvironment(
      "EVENTS_FAILED_RECORDS_BUCKET_NAME",
      eventsToCountFailuresBucket.bucketName,
    );

    const thresholds = { ...THRESHOLDS, ...props.thresholds };
    const alarms = new Alarms(this, props.alarmTopicArn, props.ticketTopicArn);
    // A message comes there after all its retries, and is deleted after 14 days; new messages set
    // it off, even if older ones remain.
    alarms.page("DeadLettersAlarm", {
      description:
        "Page: Failed messages have come into BatchesDeadLetterQueue and " +
        "EventsToCountDeadLetterQueue. First: run make dead-letters, then see When a message " +
        "fails in the README",
      value: math(
        "IF(w1 + h1 > 0 AND FILL(DIFF(w1 + h1), 1) > 0, 1, 0) + " +
          "IF(w2 + h2 > 0 AND FILL(DIFF(w2 + h2), 1) > 0, 1, 0)",
        {
          w1: waitingIn(batchesDeadLetterQueue),
          h1: hiddenIn(batchesDeadLetterQueue),
          w2: waitingIn(eventsToCountDeadLetterQueue),
          h2: hiddenIn(eventsToCountDeadLetterQueue),
        },
      ),
      periods: 20,
      needed: 1,
      clears: false,
    });
    // Nothing else shows it.
    alarms.page("LostEventsAlarm", {
      description:
        "Page: A failed event could not be kept, and is lost, at EventsToCountFailuresRule, " +
        "ArchiveErrorsRule and CountFunction. First: check the permissions to send to the " +
        "dead-letter queue",
      value: math("m1 + m2 + m3", {
        m1: metric("AWS/Events", "FailedInvocations", "Sum", {
          RuleName: eventsToCountFailuresRule.ref,
        }),
        m2: metric("AWS/Events", "FailedInvocations", "Sum", { RuleName: archiveErrorsRule.ref }),
        m3: metric("AWS/Lambda", "DestinationDeliveryFailures", "Sum", {
          FunctionName: countFunction.functionName,
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
        calls: metric("AWS/ApiGateway", "Count", "Sum", { ApiName: api.restApiName }),
        failed: metric("AWS/ApiGateway", "5XXError", "Sum", { ApiName: api.restApiName }),
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
        calls: metric("AWS/ApiGateway", "Count", "Sum", { ApiName: api.restApiName }),
        failed: metric("AWS/ApiGateway", "5XXError", "Sum", { ApiName: api.restApiName }),
      }),
      minutes: 60,
    });
    // AWS recommends the 90th percentile in 5 of 5 minutes.
    alarms.ticket("ApiLatencyAlarm", {
      description:
        "Ticket: The API is slow. First: compare its latency with the durations of its functions",
      value: metric("AWS/ApiGateway", "Latency", "p90", { ApiName: api.restApiName }),
      threshold: thresholds.latencyMilliseconds,
      periods: 5,
    });
    // A share of what those sent in an hour who may call, 3 requests or more: nobody sends it again
    // in another form, so what is refused is lost.
    alarms.ticket("ApiRefusedDataAlarm", {
      description:
        "Ticket: The API refuses data for its form or size. First: see the access log for who " +
        "sends it since when",
      value: math("IF(refused >= 3, 100 * refused / (requests - errors + refused), 0)", {
        refused: metric("Streamer", "RefusedData", "Sum", { ApiId: api.restApiId }),
        errors: metric("AWS/ApiGateway", "4XXError", "Sum", { ApiName: api.restApiName }),
        requests: metric("AWS/ApiGateway", "Count", "Sum", { ApiName: api.restApiName }),
      }),
      threshold: thresholds.errorPercent,
      minutes: 60,
    });
    // 15 minutes and what is collected before a delivery, in 5 of 5 minutes.
    alarms.page("BatchesDeliveryStreamFreshnessAlarm", {
      description:
        "Page: Records wait longer than 15 minutes. First: see the log of the delivery stream",
      value: metric("AWS/Firehose", "DeliveryToIceberg.DataFreshness", "Maximum", {
        DeliveryStreamName: batchesDeliveryStream.ref,
      }),
      threshold: 900,
      periods: 5,
    });
    // They are kept under errors/, and redriven once the cause is fixed.
    alarms.ticket("BatchesDeliveryStreamRowsAlarm", {
      description:
        "Ticket: The table does not take rows. First: see errorCode and errorMessage in the " +
        "dead-letter queue's messages",
      value: metric("AWS/Firehose", "DeliveryToIceberg.FailedRowCount", "Sum", {
        DeliveryStreamName: batchesDeliveryStream.ref,
      }),
    });
    // AWS recommends 15 of 15 minutes for the age of a stream's records.
    alarms.page("BatchesDeliveryStreamLagAlarm", {
      description:
        "Page: Firehose reads the stream 15 minutes late. First: see the log of the delivery " +
        "stream",
      value: metric("AWS/Firehose", "KinesisMillisBehindLatest", "Maximum", {
        DeliveryStreamName: batchesDeliveryStream.ref,
      }),
      threshold: 900000,
      periods: 15,
    });
    // What is throttled is sent again; AWS recommends 5 of 5 minutes for throttles.
    alarms.ticket("BatchesDeliveryStreamThrottledAlarm", {
      description:
        "Ticket: Firehose is throttled when it reads the stream. First: have its quota raised",
      value: metric("AWS/Firehose", "ThrottledGetRecords", "Sum", {
        DeliveryStreamName: batchesDeliveryStream.ref,
      }),
      periods: 5,
    });
    // Firehose retries, and what still fails is in the dead-letter queue.
    alarms.ticket("BatchesDeliveryStreamTransformAlarm", {
      description: "Ticket: Records are not transformed. First: see the log of the function",
      value: metric("AWS/Firehose", "ExecuteProcessing.Success", "Average", {
        DeliveryStreamName: batchesDeliveryStream.ref,
      }),
      threshold: 1,
      comparison: cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
      minutes: 5,
      periods: 3,
    });
    // AWS recommends 15 of 15 minutes.
    alarms.page("CountFunctionIteratorAgeAlarm", {
      description: "Page: Records wait too long for the count function. First: look for its errors",
      value: metric("AWS/Lambda", "IteratorAge", "Maximum", {
        FunctionName: countFunction.functionName,
      }),
      threshold: thresholds.oldestRecordMilliseconds,
      periods: 15,
    });
    // Callers are told by a status, and events are retried; AWS recommends 3 of 3 minutes.
    alarms.ticket("FunctionErrorsAlarm", {
      description: "Ticket: Invocations of TransformFunction fail. First: see their logs",
      value: transformFunction.metricErrors(),
      periods: 3,
    });

    new cdk.CfnOutput(this, "ApiUrl", {
      description: "The address of the API",
      value: api.url.replace(/\/$/, ""),
    });
    new cdk.CfnOutput(this, "EventsStreamName", {
      description: "The stream of the events",
      value: eventsStream.streamName,
    });
    new cdk.CfnOutput(this, "EventsToCountFailuresBucketName", {
      description: "The bucket of the records that count could not process",
      value: eventsToCountFailuresBucket.bucketName,
    });
    new cdk.CfnOutput(this, "EventsToCountDeadLetterQueueUrl", {
      description: "The queue of messages about them",
      value: eventsToCountDeadLetterQueue.queueUrl,
    });
    new cdk.CfnOutput(this, "BatchesDeliveryStreamName", {
      description: "The delivery stream that stores the events in batches",
      value: batchesDeliveryStream.ref,
    });
    new cdk.CfnOutput(this, "BatchesDeadLetterQueueUrl", {
      description: "The queue of messages about records that could not be delivered",
      value: batchesDeadLetterQueue.queueUrl,
    });
    new cdk.CfnOutput(this, "ArchiveBucketName", {
      description:
        "The bucket of events in batches, and under errors/ those that could not be stored",
      value: archiveBucket.bucketName,
    });
    new cdk.CfnOutput(this, "ArchiveDatabaseName", {
      description: "The database of the table events",
      value: archiveDatabase.ref,
    });
    new cdk.CfnOutput(this, "ArchiveWorkGroupName", {
      description: "The workgroup that queries it by Athena",
      value: archiveWorkGroup.ref,
    });
    new cdk.CfnOutput(this, "CountFunctionName", {
      description: "The function that counts the events of each type as they arrive",
      value: countFunction.functionName,
    });
    new cdk.CfnOutput(this, "CountFunctionLogGroupName", {
      value: countFunction.logGroup.logGroupName,
    });
    new cdk.CfnOutput(this, "AlarmTopicArn", {
      description: "Where the alarms go that need somebody now",
      value: alarms.topic.topicArn,
    });
  }

  private streamIntegration(
    action: string,
    { template, stream, role }: { template: string; stream: kinesis.Stream; role: iam.Role },
  ): apigateway.AwsIntegration {
    const request = readFileSync(join(TEMPLATES, `${template}.request.vtl`), "utf8");
    const response = readFileSync(join(TEMPLATES, `${template}.response.vtl`), "utf8");
    return new apigateway.AwsIntegration({
      service: "kinesis",
      action,
      options: {
        credentialsRole: role,
        passthroughBehavior: apigateway.PassthroughBehavior.NEVER,
        requestParameters: {
          "integration.request.header.Content-Type": "'application/x-amz-json-1.1'",
        },
        requestTemplates: {
          "application/json": request.replace("${events}", stream.streamName),
        },
        integrationResponses: [
          {
            statusCode: "202",
            responseTemplates: { "application/json": response },
          },
          {
            statusCode: "502",
            selectionPattern: String.raw`[45]\d{2}`,
            responseTemplates: {
              "application/json": readFileSync(join(TEMPLATES, "errors.vtl"), "utf8"),
            },
          },
        ],
      },
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
        POWERTOOLS_SERVICE_NAME: "streamer",
        POWERTOOLS_METRICS_NAMESPACE: "Streamer",
        NODE_OPTIONS: "--enable-source-maps",
        AWS_MAX_ATTEMPTS: "2", // of a call: 4 seconds each, 1 second between them
      },
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
