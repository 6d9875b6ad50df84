/**
 * The table of `codex doctor`. Oracle: the width of a terminal, and a report written here.
 */
import { describe, expect, it } from "vitest"
import { doctorReport } from "../../../src/cli/render/DoctorReport.ts"
import type { Report } from "../../../src/jobs/Doctor.ts"

const report: Report = {
  codex: "0.1.0",
  platform: "linux-x64",
  software: [{ name: "Node", status: "ok", details: "20.20.2" }],
  devices: [
    { name: "cpu", status: "ok", details: "onnxruntime-node 1.30.0", threads: 2 },
    { name: "cuda", status: "failed", details: `a file ${"/folder".repeat(12)} is missing.`, remedy: "Install it." },
    { name: "dml", status: "absent", details: "Windows only" }
  ],
  chosen: { default: "cpu", auto: "cpu" },
  graphics: [{ name: "nvidia-smi", status: "absent", details: "not installed" }],
  folders: [{ name: ".codex/cache/tokens", status: "ok", details: "writable", freeBytes: 57_700_000_000 }]
}

describe("doctorReport", () => {
  it("has a line for each finding, with its remedy below", () => {
    expect(doctorReport(report)).toBe(`check                  status  details

software
  codex                ok      0.1.0, linux-x64
  Node                 ok      20.20.2

devices
  cpu                  ok      onnxruntime-node 1.30.0
  cuda                 failed  a file
                               /folder/folder/folder/folder/folder/folder/folde
                               r/folder/folder/folder/folder/folder is missing.
                               Install it.
  dml                  -       Windows only

graphics
  nvidia-smi           -       not installed

folders
  .codex/cache/tokens  ok      writable, 57.7 GB free

A run that names no device uses cpu. With backend.device=auto it uses cpu.`)
  })

  it("says that CODEX_DEVICE decides", () => {
    const text = doctorReport({ ...report, chosen: { default: "webgpu", auto: "cuda", variable: "webgpu" } })
    expect(text.split("\n").slice(-2).join(" ")).toBe(
      "A run that names no device uses webgpu (CODEX_DEVICE=webgpu). With backend.device=auto it uses cuda."
    )
  })
})
