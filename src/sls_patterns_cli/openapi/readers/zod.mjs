// Prints models of a TypeScript project as JSON Schema. Run by Node.js inside the project, so that
// both imports are the project's. Its argument and what it prints are JSON: see models.py.

import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import * as z from "zod";

// What a model prints while it is imported is not the answer.
console.log = console.info = console.debug = console.error;

const load = (file) => import(pathToFileURL(resolve(file)).href);

/** JSON has dates as texts. */
function dateAsText({ zodSchema, jsonSchema }) {
  if (zodSchema._zod.def.type === "date") Object.assign(jsonSchema, { type: "string", format: "date-time" });
}

/**
 * The schema as a part of an OpenAPI document: there, a reference starts at the document, and
 * readOnly, which Zod writes for what code cannot change, would be what callers may not send.
 */
function embedded(schema, name) {
  if (Array.isArray(schema)) return schema.map((each) => embedded(each, name));
  if (schema === null || typeof schema !== "object") return schema;
  return Object.fromEntries(
    Object.entries(schema)
      .filter(([key, value]) => key !== "$schema" && !(key === "readOnly" && value === true))
      .map(([key, value]) => [
        key,
        key === "$ref" && typeof value === "string"
          ? value.replace(/^#(?=\/\$defs\/|$)/, `#/components/schemas/${name}`)
          : embedded(value, name),
      ]),
  );
}

async function scopes() {
  for (const file of ["src/authorizer/policy.ts", "src/logic.ts"]) {
    const found = existsSync(file) && (await load(file)).SCOPE_OF_ROUTE;
    if (found) return found instanceof Map ? Object.fromEntries(found) : found;
  }
  return {};
}

const request = JSON.parse(process.argv[2]);
const models = request.models.length > 0 ? await load("src/models.ts") : {};
const missing = [];
const uses = {};
for (const [name, use] of request.models) {
  if (models[name] instanceof z.ZodType) (uses[name] ??= []).push(use);
  else missing.push(name);
}
const schemas = [];
const components = {};
for (const [name, of] of Object.entries(uses)) {
  const made = of.map((use) => {
    // A parameter is described as what its text stands for, such as a number.
    const io = use === "input" ? "input" : "output";
    const options = { io, unrepresentable: "any", override: dateAsText };
    return [use, z.toJSONSchema(models[name], options)];
  });
  const same = made.every(([, schema]) => JSON.stringify(schema) === JSON.stringify(made[0][1]));
  for (const [use, schema] of made) {
    const called = same ? name : `${name}-${use}`;
    components[called] = embedded(schema, called);
    schemas.push([name, use, { $ref: `#/components/schemas/${called}` }]);
  }
}
process.stdout.write(JSON.stringify({ missing, schemas, components, scopes: await scopes() }));
