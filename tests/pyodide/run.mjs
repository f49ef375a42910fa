// Runs a Python file in pyodide: node run.mjs PYODIDE_FOLDER MICROPIP_WHEEL SCRIPT FOLDER_TO_MOUNT INDEX_URL
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [folder, micropip, script, shared, index] = process.argv.slice(2);
try {
  const { loadPyodide } = await import(pathToFileURL(`${folder}/pyodide.mjs`));
  const pyodide = await loadPyodide({ indexURL: folder });
  pyodide.mountNodeFS("/shared", shared);
  pyodide.unpackArchive(new Uint8Array(readFileSync(micropip)), "wheel");
  pyodide.globals.set("INDEX", index);
  await pyodide.runPythonAsync(readFileSync(script, "utf-8"));
} catch (error) {
  console.error(error.message ?? JSON.stringify(error), error.stack?.slice(0, 2000));
  process.exit(1);
}
process.exit(0);
