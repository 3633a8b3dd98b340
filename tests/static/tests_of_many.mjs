// Runs tests of the projects that `projects.json` names, in one process.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { defineConfig } from "vitest/config";
import { loadConfigFromFile } from "vite";

const { root, which, together, alone } = JSON.parse(readFileSync("projects.json", "utf8"));
const { config } = await loadConfigFromFile({}, join(root, "vitest.config.ts"));
const own = config.test.projects.find((each) => each.test.name === which);
const shared = {
  ...own.test,
  setupFiles: [join(import.meta.dirname, "in_its_project.mjs")],
  provide: { surroundings: own.test.setupFiles ?? [] },
};

export default defineConfig({
  test: {
    projects: [
      { ...own, test: { ...shared, name: "together", include: together, isolate: false } },
      // What replaces a module, or the clock, for its file is not seen by others.
      { ...own, test: { ...shared, name: "alone", include: alone, isolate: true, pool: "threads" } },
    ].filter((each) => each.test.include.length > 0),
  },
});
