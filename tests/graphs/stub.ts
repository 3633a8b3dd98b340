/**
 * Stands for a handler: logs what it could process, and sends it on along every edge that leaves.
 *
 * Where to is in the variables that the wiring gave it. A message is any object with an `id`,
 * however it is packed; the functions that it names under `fail` fail, unless they are mended.
 */

import { gunzipSync } from "node:zlib";

import { DynamoDBClient, PutItemCommand } from "@aws-sdk/client-dynamodb";
import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";
import { PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { PublishCommand, SNSClient } from "@aws-sdk/client-sns";
import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";

type Message = Record<string, unknown> & { id: string; fail: string };

const NODE = "";

/** Whether it names where a message goes next: Lambda's own do not, nor where records end. */
const leadsOn = (name: string) =>
  !name.startsWith("AWS_") && !/FAILED_RECORDS|DEAD_LETTER/.test(name);

const dynamodb = new DynamoDBClient();
const lambda = new LambdaClient();
const s3 = new S3Client();
const sns = new SNSClient();
const sqs = new SQSClient();

const SENDERS: Record<string, (address: string, message: Message) => Promise<unknown>> = {
  _QUEUE_URL: (url, message) =>
    sqs.send(new SendMessageCommand({ QueueUrl: url, MessageBody: JSON.stringify(message) })),
  _TOPIC_ARN: (arn, message) =>
    sns.send(
      new PublishCommand({
        TopicArn: arn,
        Message: JSON.stringify(message),
        MessageAttributes: Object.fromEntries(
          Object.entries(message).map(([key, value]) => [
            key,
            { DataType: "String", StringValue: String(value) },
          ]),
        ),
      }),
    ),
  _TABLE_NAME: (name, message) =>
    dynamodb.send(
      new PutItemCommand({
        TableName: name,
        Item: { id: { S: message.id }, message: { S: JSON.stringify(message) } },
      }),
    ),
  _FUNCTION_NAME: (name, message) =>
    lambda.send(
      new InvokeCommand({
        FunctionName: name,
        InvocationType: "Event",
        Payload: JSON.stringify(message),
      }),
    ),
  _BUCKET_NAME: (name, message) =>
    s3.send(
      new PutObjectCommand({
        Bucket: name,
        Key: `${message.id}.json`,
        Body: JSON.stringify([message]),
      }),
    ),
};

export async function handler(event: unknown): Promise<unknown> {
  const found = [...messages(event)];
  const mended = process.env.MENDED !== undefined;
  if (!mended && found.some((message) => message.fail.split(" ").includes(NODE))) {
    throw new Error("told to fail");
  }
  process.stdout.write(`${JSON.stringify({ node: NODE, event })}\n`);
  for (const message of found) {
    for (const [name, address] of Object.entries(process.env).sort()) {
      for (const [suffix, send] of Object.entries(SENDERS)) {
        const wired = name.endsWith(suffix) && leadsOn(name);
        if (wired && address) await send(address, message);
      }
    }
  }
  return found[0] ?? {};
}

/** Every message in an event, from whatever service it came. */
function* messages(value: unknown): Generator<Message> {
  if (typeof value === "string") {
    yield* messages(unpack(value));
  } else if (typeof value === "object" && value !== null) {
    if (isMessage(value)) yield value;
    else for (const inner of Object.values(value)) yield* messages(inner);
  }
}

function isMessage(value: object): value is Message {
  return ["id", "fail"].every((key) => typeof Reflect.get(value, key) === "string");
}

/** What a text holds: JSON, or bytes as Base64, which may be compressed. */
function unpack(text: string): unknown {
  try {
    const held: unknown = JSON.parse(text);
    return typeof held === "object" ? held : null;
  } catch {
    // It may be Base64.
  }
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return null;
  try {
    const content = Buffer.from(text, "base64");
    const bytes = content.readUInt16BE() === 0x1f8b ? gunzipSync(content) : content;
    return unpack(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return null;
  }
}
