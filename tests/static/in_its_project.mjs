// Each test finds the folder and the surroundings of its project: variables, and nothing else.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { isMainThread } from "node:worker_threads";
import { expect, inject } from "vitest";

const [project] = expect.getState().testPath.split("/tests/");
if (isMainThread) process.chdir(project);

const known = (globalThis.variablesOfProjects ??= new Map([["", { ...process.env }]]));
const none = known.get("");
for (const name of Object.keys(process.env)) if (!(name in none)) delete process.env[name];
Object.assign(process.env, none);

if (!known.has(project)) {
  const own = readFileSync(join(project, "vitest.config.ts"), "utf8");
  for (const file of inject("surroundings")) if (own.includes(file)) await import(join(project, file));
  known.set(project, { ...process.env });
}
Object.assign(process.env, known.get(project));
