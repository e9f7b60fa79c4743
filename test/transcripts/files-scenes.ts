/** Scenes of arbiters whose configurations differ: what `config_sync` makes of it. */
import { FilesScene } from "./files-scene.ts";

export interface FilesPlot {
  readonly file: string;
  readonly row: string;
  readonly bound: string;
  readonly play: () => Promise<FilesScene>;
}

const ROW = "arbiters' configurations differ";
const PATH = "daemons/scheduler-slave.cfg";
const AS_IT_WAS = "lease = 2s\n";
const FILES = { "arbiter.cfg": "[cluster]\n", [PATH]: AS_IT_WAS };

/** Who leads next where all have the same files; the scene is about its not doing so. */
const NEXT = "a2";

export const FILES_PLOTS: readonly FilesPlot[] = [
  {
    file: "22-the-arbiters-configurations-differ",
    row: ROW,
    bound: "three comparisons, a second apart; nobody stops working",
    play: async () => {
      const scene = new FilesScene("enforce", FILES);
      const drifted = NEXT;
      const { leader } = scene.simulation;
      await scene.compare(3000);
      scene.act(`on ${drifted} alone, ${PATH} is edited (config_sync = enforce)`, () =>
        scene.edit(drifted, PATH, "lease = 4s\n"),
      );
      await scene.compare(5000);
      scene.problems();
      scene.act(`${leader?.name ?? ""}, which leads, is killed`, () => leader?.crash("kill -9"));
      await scene.compare(6000);
      scene.act(`on ${drifted} the file is put right`, () => scene.edit(drifted, PATH, AS_IT_WAS));
      await scene.compare(3000);
      return scene.problems();
    },
  },
  {
    file: "23-a-drifted-arbiter-receives-the-leaders-files",
    row: ROW,
    bound: "one comparison, a second; nobody stops working",
    play: async () => {
      const scene = new FilesScene("replicate", FILES);
      const name = scene.simulation.leader?.name ?? "";
      await scene.compare(3000);
      scene.act(`on ${name}, which leads, ${PATH} is edited (config_sync = replicate)`, () =>
        scene.edit(name, PATH, "lease = 4s\n"),
      );
      await scene.compare(3000);
      return scene.problems();
    },
  },
];
