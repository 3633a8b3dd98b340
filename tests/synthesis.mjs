// Runs the apps of CDK projects in one process, as `cdk synth` does but without building: for each
// line of standard input, `{project, output}`, a line of standard output when it is synthesised.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

for await (const line of createInterface({ input: process.stdin })) {
  const { project, output } = JSON.parse(line);
  const { context } = JSON.parse(readFileSync(join(project, "cdk.json"), "utf8"));
  process.chdir(project);
  process.env.CDK_OUTDIR = output;
  process.env.CDK_CONTEXT_JSON = JSON.stringify({ ...context, "aws:cdk:bundling-stacks": [] });
  await import(pathToFileURL(join(project, "app.ts")).href);
  process.emit("beforeExit", 0); // an app synthesises itself when the process has no more to do
  console.log("{}");
}
