// Checks style and types of several TypeScript projects in one process, each distinct file once.
// Arguments: the folders of the projects, which share their node_modules; after `--style-only`
// those whose types are not checked.
//
// What `npm run lint` and `npm run typecheck` say of a file follows from its text, from those of
// the files that it imports, and from the settings for it. So a file is checked where these come
// together for the first time. What was parsed of the packages serves all projects, and the types
// that tsc has found serve ESLint.

import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative, resolve } from "node:path";

const [typed, styled = []] = split(process.argv.slice(2), "--style-only");
const require = createRequire(join([...typed, ...styled][0], "package.json"));
const ts = require("typescript");
const { ESLint } = require("eslint");
const prettier = require("prettier");

const parsed = new Map();
const seen = new Set();
const checked = { eslint: 0, prettier: 0, tsc: 0 };
let complaints = "";

function split(words, separator) {
  const at = words.indexOf(separator);
  return at < 0 ? [words] : [words.slice(0, at), words.slice(at + 1)];
}

/** Tells whether this is the first time; `what` is all that an answer follows from. */
function isNew(...what) {
  const digest = createHash("sha256").update(JSON.stringify(what)).digest("hex");
  return !seen.has(digest) && seen.add(digest);
}

/** The project's own files with their texts that a file imports, itself included. */
function closure(file, found = new Map()) {
  if (found.has(file) || !existsSync(file)) return found;
  const text = readFileSync(file, "utf8");
  found.set(file, text);
  for (const { fileName } of ts.preProcessFile(text).importedFiles) {
    if (fileName.startsWith(".")) closure(resolve(dirname(file), fileName), found);
  }
  return found;
}

function filesIn(project, extensions) {
  return ts.sys.readDirectory(project, extensions, ["**/node_modules"]);
}

function programOf(project) {
  const config = ts.getParsedCommandLineOfConfigFile(join(project, "tsconfig.json"), undefined, {
    ...ts.sys,
    onUnRecoverableConfigFileDiagnostic: (diagnostic) => {
      throw new Error(ts.flattenDiagnosticMessageText(diagnostic.messageText, "\n"));
    },
  });
  const settings = JSON.stringify({ ...config.options, configFilePath: undefined });
  const host = ts.createCompilerHost(config.options);
  const parse = host.getSourceFile;
  host.getSourceFile = (file, ...rest) => {
    if (!file.includes("/node_modules/")) return parse(file, ...rest);
    const key = `${file} ${settings} ${JSON.stringify(rest[0])}`;
    if (!parsed.has(key)) parsed.set(key, parse(file, ...rest));
    return parsed.get(key);
  };
  const program = ts.createProgram({
    rootNames: config.fileNames,
    options: config.options,
    configFileParsingDiagnostics: ts.getConfigFileParsingDiagnostics(config),
    host,
  });
  return { program, settings };
}

function complain(project, text) {
  complaints += `${project}\n${text}\n`;
}

async function check(project, typesToo) {
  process.chdir(project);
  const { program, settings } = programOf(project);
  const own = program.getSourceFiles().filter(({ fileName }) => !fileName.includes("/node_modules/"));
  // What a project says of types in general is part of the settings for each of its files.
  const ambient = own.filter(
    ({ isDeclarationFile, text }) => isDeclarationFile || /\bdeclare (global|module)\b/.test(text),
  );
  const context = (file) =>
    [...closure(file), ...ambient.map(({ fileName, text }) => [fileName, text])].map(
      ([name, text]) => [relative(project, name), text],
    );

  if (typesToo) {
    const diagnostics = [
      ...program.getConfigFileParsingDiagnostics(),
      ...program.getOptionsDiagnostics(),
      ...program.getGlobalDiagnostics(),
    ];
    for (const file of own.filter(({ fileName }) => isNew("tsc", settings, context(fileName)))) {
      diagnostics.push(...program.getSyntacticDiagnostics(file));
      diagnostics.push(...program.getSemanticDiagnostics(file));
      checked.tsc += 1;
    }
    if (diagnostics.length > 0) {
      const host = {
        getCanonicalFileName: (name) => name,
        getCurrentDirectory: () => project,
        getNewLine: () => "\n",
      };
      complain(project, ts.formatDiagnostics(diagnostics, host));
    }
  }

  // The types are tsc's, where the project's own settings would have them found anew.
  const parserOptions = { programs: [program], projectService: false, tsconfigRootDir: project };
  const plain = new ESLint({ cwd: project });
  const eslint = new ESLint({ cwd: project, overrideConfig: { languageOptions: { parserOptions } } });
  const fresh = [];
  for (const fileName of filesIn(project, [".js", ".mjs", ".cjs", ".ts", ".mts", ".cts"])) {
    if (await plain.isPathIgnored(fileName)) continue;
    const { rules, linterOptions } = await plain.calculateConfigForFile(fileName);
    if (isNew("eslint", rules, linterOptions, settings, context(fileName))) fresh.push(fileName);
  }
  if (fresh.length > 0) {
    const results = await eslint.lintFiles(fresh);
    checked.eslint += results.length;
    if (results.some(({ messages }) => messages.length > 0)) {
      complain(project, await (await eslint.loadFormatter("stylish")).format(results));
    }
  }

  for (const file of filesIn(project, [".js", ".json", ".ts"])) {
    const options = await prettier.resolveConfig(file);
    const text = readFileSync(file, "utf8");
    const name = relative(project, file);
    if (name === "package-lock.json" || !isNew("prettier", name, text, options)) continue;
    checked.prettier += 1;
    if (!(await prettier.check(text, { ...options, filepath: file }))) {
      complain(project, `${name} is not as Prettier formats it`);
    }
  }
}

for (const project of typed) await check(project, true);
for (const project of styled) await check(project, false);
console.log(JSON.stringify(checked));
if (complaints) {
  console.error(complaints);
  process.exitCode = 1;
}
