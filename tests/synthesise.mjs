// Runs the apps of several CDK projects in one process, as `cdk synth` does but without building.
// Arguments: for each project its folder and the folder for what it synthesises.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const folders = process.argv.slice(2);
while (folders.length > 0) {
  const [project, output] = folders.splice(0, 2);
  const { context } = JSON.parse(readFileSync(join(project, "cdk.json"), "utf8"));
  process.chdir(project);
  process.env.CDK_OUTDIR = output;
  process.env.CDK_CONTEXT_JSON = JSON.stringify({ ...context, "aws:cdk:bundling-stacks": [] });
  await import(pathToFileURL(join(project, "app.ts")).href); // it is synthesised when all is done
}
