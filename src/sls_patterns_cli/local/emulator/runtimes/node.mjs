/**
 * The Node.js execution environment of one function: imports the handler, serves invocations.
 *
 * Runs on the function's own Node.js, with nothing but its own modules. Speaks the emulator's
 * protocol: JSON lines on standard input and descriptor 3; logs go to standard output and standard
 * error, which are one, and a line LOG_END closes the log of each invocation.
 *
 * Follows the runtime's documented behaviour for handlers, errors and logging:
 * https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html
 * https://docs.aws.amazon.com/lambda/latest/dg/nodejs-exceptions.html
 * https://docs.aws.amazon.com/lambda/latest/dg/nodejs-logging.html
 */

import { existsSync, writeSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import module, { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import { format } from "node:util";

/** ASCII record separator: no log line of a handler is this and nothing else. */
const LOG_END = "\x1e";
const REPLIES = 3;
const LEVELS = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
const CONSOLE = { trace: "TRACE", debug: "DEBUG", log: "INFO", info: "INFO", warn: "WARN", error: "ERROR" };
/** Since this version a handler may not answer by a callback. */
const WITHOUT_CALLBACKS = 24;

/** The request that is being served, for the log. */
let current;

function write(line) {
  process.stderr.write(`${line}\n`);
}

function reply(answer) {
  write(LOG_END);
  writeSync(REPLIES, `${JSON.stringify(answer)}\n`);
}

/** https://docs.aws.amazon.com/lambda/latest/dg/nodejs-context.html */
function contextOf(invocation) {
  const deadline = performance.now() + invocation.timeout_ms;
  return {
    awsRequestId: invocation.request_id,
    invokedFunctionArn: invocation.invoked_function_arn,
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    callbackWaitsForEmptyEventLoop: true,
    getRemainingTimeInMillis: () => Math.max(0, Math.floor(deadline - performance.now())),
  };
}

const asJson = () => process.env.AWS_LAMBDA_LOG_FORMAT === "JSON";

function log(level, values) {
  const timestamp = new Date().toISOString();
  if (!asJson()) {
    write([timestamp, current, level, format(...values)].join("\t"));
    return;
  }
  if (LEVELS.indexOf(level) < LEVELS.indexOf(process.env.AWS_LAMBDA_LOG_LEVEL)) {
    return;
  }
  const [message] = values;
  const entry = { timestamp, level, requestId: current };
  const error = values.find((value) => value instanceof Error);
  const told = values.length === 1 && !(message instanceof Error) ? message : format(...values);
  write(
    JSON.stringify({
      ...entry,
      message: told,
      ...(error && {
        errorType: error.name,
        errorMessage: error.message,
        stackTrace: error.stack?.split("\n") ?? [],
      }),
    }),
  );
}

/** What was thrown, as Lambda returns it to the caller. */
function described(thrown, type) {
  if (!(thrown instanceof Error)) {
    return { errorType: type ?? typeof thrown, errorMessage: String(thrown), trace: [] };
  }
  return {
    errorType: type ?? thrown.name,
    errorMessage: thrown.message,
    trace: thrown.stack?.split("\n") ?? [],
  };
}

function logFailure(what, failure) {
  const timestamp = new Date().toISOString();
  if (asJson()) {
    const { trace: stackTrace, ...rest } = failure;
    const message = { ...rest, stackTrace };
    write(JSON.stringify({ timestamp, level: "ERROR", requestId: current, message }));
  } else {
    write([timestamp, current, "ERROR", `${what} `, JSON.stringify(failure)].join("\t"));
  }
}

/** Whatever nobody catches ends the environment, and with it the invocation. */
function end(type) {
  return (thrown) => {
    const failure = described(thrown, type);
    logFailure("Uncaught Exception", failure);
    reply({ status: "error", error: `${failure.errorType}: ${failure.errorMessage}` });
    process.exit(1);
  };
}

/**
 * Functions of custom resources answer to an address that they take to be HTTPS on port 443, as
 * that of CloudFormation is. Here it is the emulator's, on a port of its own.
 */
function answerCustomResourcesHere() {
  const emulator = new URL(process.env.AWS_ENDPOINT_URL);
  const { request } = https;
  https.request = (options, ...rest) => {
    const isStandardPort = !options?.port || Number(options.port) === 443;
    if (options?.hostname === emulator.hostname && isStandardPort) {
      return http.request({ ...options, protocol: "http:", port: emulator.port }, ...rest);
    }
    return request(options, ...rest);
  };
  syncBuiltinESMExports();
}

async function load(folders, module, name) {
  const file = folders
    .flatMap((folder) => [".js", ".mjs", ".cjs"].map((end) => join(folder, module + end)))
    .find(existsSync);
  if (file === undefined) {
    throw new Error(`Runtime.ImportModuleError: there is no module '${module}'`);
  }
  const loaded = await import(pathToFileURL(file));
  const handler = loaded[name] ?? loaded.default?.[name];
  if (typeof handler !== "function") {
    throw new Error(`Runtime.HandlerNotFound: ${module}.${name} is undefined or not exported`);
  }
  const major = Number(process.versions.node.split(".")[0]);
  if (handler.length > 2 && major >= WITHOUT_CALLBACKS) {
    throw new Error(`Runtime.CallbackHandlerDeprecated: ${module}.${name} takes a callback`);
  }
  return handler;
}

function call(handler, event, context) {
  if (handler.length <= 2) {
    return handler(event, context);
  }
  return new Promise((resolve, reject) => {
    handler(event, context, (error, result) => (error ? reject(error) : resolve(result)));
  });
}

async function invoke(handler, { event, ctx }) {
  current = ctx.request_id;
  if (ctx.trace_id) {
    process.env._X_AMZN_TRACE_ID = ctx.trace_id;
  } else {
    delete process.env._X_AMZN_TRACE_ID;
  }
  try {
    const result = await call(handler, event, contextOf(ctx));
    // What JSON cannot hold is an error here, as it is in Lambda.
    return { status: "ok", result: JSON.parse(JSON.stringify(result ?? null) ?? "null") };
  } catch (thrown) {
    const failure = described(thrown);
    logFailure("Invoke Error", failure);
    return { status: "ok", result: null, function_error: failure };
  }
}

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const { value: first } = await lines.next();
const init = JSON.parse(first);
// What one environment of a function has compiled, the next ones read; since Node.js 22.
module.enableCompileCache?.(init.compiled);
Object.assign(process.env, init.env);
for (const [method, level] of Object.entries(CONSOLE)) {
  console[method] = (...values) => log(level, values);
}
await import("./host-prefixes.mjs");
answerCustomResourcesHere();
process.on("uncaughtException", end());
process.on("unhandledRejection", end("Runtime.UnhandledPromiseRejection"));

let handler;
try {
  handler = await load(init.path, init.module, init.handler);
} catch (thrown) {
  write(thrown?.stack ?? String(thrown));
  reply({ status: "error", error: `${thrown?.name}: ${thrown?.message ?? thrown}` });
  process.exit(1);
}
reply({ status: "ready" });
for await (const line of lines) {
  reply(await invoke(handler, JSON.parse(line)));
  // Here, since an environment ends by a signal; it writes nothing that is there.
  module.flushCompileCache?.();
}
