/**
 * Linear and mixed-integer programs, solved by HiGHS (WebAssembly) in a child process: a solve is synchronous and takes
 * seconds, which the thread that carries Raft does not have, and a process that hangs can be killed.
 */
export { createSolver, type SolverOptions } from "./solver.ts";
