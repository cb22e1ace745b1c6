// Runs model.tflite on the examples of ready.json, shows the outputs, and sends them back to check.py.
// The WebAssembly of tfjs-tflite is TensorFlow Lite itself: it takes bool, uint8, int16, int32 and float32 tensors.

const WASM = "node_modules/@tensorflow/tfjs-tflite/wasm/";

async function load(url) {
  tfweb.tflite_web_api.setWasmPath(WASM);
  const file = await (await fetch(url)).arrayBuffer();
  return tfweb.TFLiteWebModelRunner.create(file, { numThreads: 1 });
}

// An example is an object: name of a tensor in the file -> its numbers, flat.
function predict(runner, example) {
  for (const input of runner.getInputs()) input.data().set(example[input.name]);
  if (!runner.infer()) throw new Error("The model could not be run; the console says why.");
  return Object.fromEntries(runner.getOutputs().map((output) => [output.name, Array.from(output.data())]));
}

async function main() {
  const examples = await (await fetch("ready.json")).json();
  const runner = await load("model.tflite");
  const started = performance.now();
  const outputs = examples.map((example) => predict(runner, example));
  return { outputs, milliseconds: (performance.now() - started) / examples.length };
}

const found = await main().catch((error) => ({ error: String(error) }));
document.getElementById("answers").textContent = JSON.stringify(found, null, 2);
await fetch("answers", { method: "POST", body: JSON.stringify(found) });
