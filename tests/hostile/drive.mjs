// Calls the handlers of TypeScript projects with events, and writes down what came of it.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PerformanceObserver } from "node:perf_hooks";
import { pathToFileURL } from "node:url";

const COLLECTED = Number.MAX_SAFE_INTEGER;
const collections = new PerformanceObserver(() => undefined);
collections.observe({ entryTypes: ["gc"] });

let logged = "";
for (const method of ["debug", "log", "info", "warn", "error"]) {
  console[method] = (...texts) => {
    logged += texts.join(" ");
  };
}
for (const stream of [process.stdout, process.stderr]) {
  stream.write = (text) => {
    logged += String(text);
    return true;
  };
}

const context = {
  functionName: "driven",
  functionVersion: "$LATEST",
  memoryLimitInMB: "128",
  invokedFunctionArn: "arn:aws:lambda:us-east-1:123456789012:function:driven",
  awsRequestId: "request-1",
  logGroupName: "driven",
  logStreamName: "driven",
  getRemainingTimeInMillis: () => 10_000,
};

async function call(handler, event, personal) {
  logged = "";
  globalThis.gc();
  collections.takeRecords();
  const { heapUsed, external } = process.memoryUsage();
  const started = performance.now();
  let answer;
  try {
    answer = await handler(event, context);
  } catch (error) {
    answer = { statusCode: 500, body: String(error) };
  }
  const milliseconds = performance.now() - started;
  const after = process.memoryUsage();
  const wasCollected = collections.takeRecords().length > 0;
  const text = JSON.stringify(answer);
  const where = [];
  if (text.includes(personal)) where.push(" in the answer");
  if (logged.includes(personal)) where.push(" in the log");
  return {
    status: answer.statusCode,
    size: Buffer.byteLength(text),
    allocated: wasCollected ? COLLECTED : after.heapUsed - heapUsed + after.external - external,
    milliseconds,
    personal: where.length > 0 ? `, personal data${where.join(" and")}` : "",
  };
}

async function drive({ project, personal, variables, handlers }) {
  Object.assign(process.env, variables);
  const answers = [];
  for (const [name, events] of Object.entries(handlers)) {
    const { handler } = await import(pathToFileURL(join(project, `src/handlers/${name}.ts`)).href);
    await call(handler, events[0][1], personal); // loads what is loaded once
    for (const [request, event] of events) {
      answers.push({ request, ...(await call(handler, event, personal)) });
    }
  }
  return answers;
}

const place = process.argv[2];
const done = [];
for (const work of JSON.parse(readFileSync(place, "utf8"))) done.push(await drive(work));
writeFileSync(`${place}.answers`, JSON.stringify(done));
process.exit(0);
