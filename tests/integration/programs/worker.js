const { Worker, isMainThread, parentPort } = require("worker_threads");
const { execFileSync } = require("child_process");
const fs = require("fs");

if (isMainThread) {
  new Worker(__filename).on("message", (text) => {
    fs.writeFileSync("made", text);
    console.log(fs.readFileSync("made", "utf8"), execFileSync("echo", ["and a child"]).toString().trim());
  });
} else {
  parentPort.postMessage("hello from a worker");
}
