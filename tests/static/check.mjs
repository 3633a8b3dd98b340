// Checks style and types of TypeScript projects, each distinct file once: for each line of standard
// input, `{linted, formatted}` with folders of projects, one of standard output with what was read
// and what there is to complain of. Of those that are only `formatted`, Prettier alone reads the
// files.
// Argument: a folder with the node_modules that all of them share.
//
// What `npm run lint` and `npm run typecheck` say of a file follows from its text, from those of
// the files that it imports, and from the settings for it. So a file is checked where these come
// together for the first time. Projects of the same settings are one program, so that the types of
// the packages are worked out once for all of them; those that tsc has found serve ESLint. What was
// parsed of the packages serves all programs.

import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative, resolve } from "node:path";
import { createInterface } from "node:readline";

const require = createRequire(join(process.argv[2], "package.json"));
const ts = require("typescript");
const { ESLint } = require("eslint");
const prettier = require("prettier");

const seen = new Set();
let read, complaints;

/** Tells whether this is the first time; `what` is all that an answer follows from. */
function isNew(...what) {
  const digest = createHash("sha256").update(JSON.stringify(what)).digest("hex");
  return !seen.has(digest) && seen.add(digest);
}

/** The project's own files with their texts that a file imports, itself included. */
function closure(file, found = new Map()) {
  if (found.has(file)) return found;
  const { text, imports } = readOnce(file);
  if (text === undefined) return found;
  found.set(file, text);
  for (const each of imports) closure(each, found);
  return found;
}

/** What was read in this request: a file is in the closures of many. */
let sources;

function readOnce(file) {
  if (!sources.has(file)) {
    const text = existsSync(file) ? readFileSync(file, "utf8") : undefined;
    const imports = ts
      .preProcessFile(text ?? "")
      .importedFiles.filter(({ fileName }) => fileName.startsWith("."))
      .map(({ fileName }) => resolve(dirname(file), fileName));
    sources.set(file, { text, imports });
  }
  return sources.get(file);
}

function filesIn(project, extensions) {
  return ts.sys.readDirectory(project, extensions, ["**/node_modules"]);
}

function configOf(project) {
  return ts.getParsedCommandLineOfConfigFile(join(project, "tsconfig.json"), undefined, {
    ...ts.sys,
    onUnRecoverableConfigFileDiagnostic: (diagnostic) => {
      throw new Error(ts.flattenDiagnosticMessageText(diagnostic.messageText, "\n"));
    },
  });
}

/** What programs of the same settings share: where modules are, and the packages as parsed. */
const packages = new Map();

function programOf(files, options, settings) {
  const host = ts.createCompilerHost(options);
  if (!packages.has(settings)) {
    const places = ts.createModuleResolutionCache("/", host.getCanonicalFileName, options);
    packages.set(settings, { parsed: new Map(), places });
  }
  const { parsed, places } = packages.get(settings);
  const parse = host.getSourceFile;
  host.getSourceFile = (file, language, ...rest) => {
    if (!file.includes("/node_modules/")) return parse(file, language, ...rest);
    const key = `${file} ${language.impliedNodeFormat}`;
    if (!parsed.has(key)) parsed.set(key, parse(file, language, ...rest));
    return parsed.get(key);
  };
  host.getModuleResolutionCache = () => places;
  host.resolveModuleNameLiterals = (names, file, redirected, _options, source) =>
    names.map((name) => {
      const mode = ts.getModeForUsageLocation(source, name, options);
      return ts.resolveModuleName(name.text, file, options, host, places, redirected, mode);
    });
  return ts.createProgram({ rootNames: files, options, host });
}

function complain(project, text) {
  complaints += `${project}\n${text}\n`;
}

/** Finds what is new in a project: a program takes longest, and is made of such files only. */
async function newIn(project) {
  process.chdir(project);
  const config = configOf(project);
  const settings = JSON.stringify({ ...config.options, configFilePath: undefined });
  const own = new Map(
    config.fileNames.flatMap((name) => [...closure(name)]).filter(([name]) => /[jt]s$/.test(name)),
  );
  // What a project says of types in general is part of the settings for each of its files.
  const ambient = [...own].filter(
    ([file, text]) => file.endsWith(".d.ts") || /\bdeclare (global|module)\b/.test(text),
  );
  const context = (file) =>
    [...closure(file), ...ambient].map(([name, text]) => [relative(project, name), text]);

  read.tsc += own.size;
  const typed = [...own.keys()].filter((file) => isNew("tsc", settings, context(file)));
  const eslint = new ESLint({ cwd: project });
  const linted = [];
  for (const fileName of filesIn(project, [".js", ".mjs", ".cjs", ".ts", ".mts", ".cts"])) {
    if (await eslint.isPathIgnored(fileName)) continue;
    read.eslint += 1;
    const { rules, linterOptions } = await eslint.calculateConfigForFile(fileName);
    if (isNew("eslint", rules, linterOptions, settings, context(fileName))) linted.push(fileName);
  }
  // Only projects that say nothing of types in general say nothing to each other.
  const shared = ambient.length > 0 ? `${project} ${settings}` : settings;
  const files = [...typed, ...linted, ...ambient.map(([name]) => name)];
  return { project, config, settings, shared, typed, linted, files };
}

async function checkTypesAndLint(projects) {
  const groups = new Map();
  for (const project of projects) {
    const found = await newIn(project);
    const diagnostics = ts.getConfigFileParsingDiagnostics(found.config);
    if (diagnostics.length > 0) complainOf(diagnostics, project);
    if (found.typed.length > 0 || found.linted.length > 0) {
      groups.set(found.shared, [...(groups.get(found.shared) ?? []), found]);
    }
  }
  for (const group of groups.values()) {
    const { config, settings } = group[0];
    const program = programOf([...new Set(group.flatMap(({ files }) => files))], config.options, settings);
    const ofAll = [...program.getOptionsDiagnostics(), ...program.getGlobalDiagnostics()];
    if (ofAll.length > 0) complainOf(ofAll, group[0].project);
    for (const { project, typed, linted } of group) {
      checkTypes(program, project, typed);
      if (linted.length > 0) await lint(program, project, linted);
    }
  }
}

function checkTypes(program, project, files) {
  const diagnostics = files
    .map((name) => program.getSourceFile(name))
    .flatMap((file) => [
      ...program.getSyntacticDiagnostics(file),
      ...program.getSemanticDiagnostics(file),
    ]);
  if (diagnostics.length > 0) complainOf(diagnostics, project);
}

function complainOf(diagnostics, project) {
  const host = {
    getCanonicalFileName: (name) => name,
    getCurrentDirectory: () => project,
    getNewLine: () => "\n",
  };
  complain(project, ts.formatDiagnostics(diagnostics, host));
}

async function lint(program, project, files) {
  process.chdir(project);
  // The types are tsc's, where the project's own settings would have them found anew.
  const parserOptions = { programs: [program], projectService: false, tsconfigRootDir: project };
  const overrideConfig = { languageOptions: { parserOptions } };
  const eslint = new ESLint({ cwd: project, overrideConfig });
  const results = await eslint.lintFiles(files);
  if (results.some(({ messages }) => messages.length > 0)) {
    complain(project, await (await eslint.loadFormatter("stylish")).format(results));
  }
}

async function checkFormat(project) {
  process.chdir(project);
  for (const file of filesIn(project, [".js", ".json", ".ts"])) {
    const options = await prettier.resolveConfig(file);
    const text = readFileSync(file, "utf8");
    const name = relative(project, file);
    if (name === "package-lock.json") continue;
    read.prettier += 1;
    if (!isNew("prettier", name, text, options)) continue;
    if (!(await prettier.check(text, { ...options, filepath: file }))) {
      complain(project, `${name} is not as Prettier formats it`);
    }
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const { linted, formatted } = JSON.parse(line);
  [read, complaints, sources] = [{ eslint: 0, prettier: 0, tsc: 0 }, "", new Map()];
  await checkTypesAndLint(linted);
  for (const project of [...linted, ...formatted]) await checkFormat(project);
  console.log(JSON.stringify({ read, complaints }));
}
