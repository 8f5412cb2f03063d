/** Models as folders of files, as onnxruntime wants them: each under its digest, there whole or not at all. */
export { type ModelFoldersDeps, openModelFolders } from "./models.ts";
export { type PackagedFile, packagedFiles } from "./packaged.ts";
