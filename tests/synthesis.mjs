// Runs the apps of CDK projects in one process, as `cdk synth` does: for each line of standard input,
// `{project, output, build, variables}`, a line of standard output when it is synthesised, `{failed}`
// with the error if it cannot be. Code is left as it is unless `build` asks for its bundles.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

let count = 0;
for await (const line of createInterface({ input: process.stdin })) {
  const { project, output, build, variables } = JSON.parse(line);
  const { context } = JSON.parse(readFileSync(join(project, "cdk.json"), "utf8"));
  const left = build ? {} : { "aws:cdk:bundling-stacks": [] };
  process.chdir(project);
  process.env.CDK_OUTDIR = output;
  process.env.CDK_CONTEXT_JSON = JSON.stringify({ ...context, ...left });
  Object.assign(process.env, variables);
  count += 1; // what was imported once is not run again
  const answer = {};
  try {
    await import(`${pathToFileURL(join(project, "app.ts")).href}?${count}`);
    process.emit("beforeExit", 0); // an app synthesises itself when the process has no more to do
  } catch (error) {
    process.removeAllListeners("beforeExit"); // the next app is none of its business
    answer.failed = error.stack;
  }
  console.log(JSON.stringify(answer));
}
