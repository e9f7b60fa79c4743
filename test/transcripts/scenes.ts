/**
 * One scene for each row of "What happens when": what is done to the cluster, and when. The titles are
 * those of the table in `docs/operating.md`, which the test compares.
 */
import type { ClusterModel, ServiceSpec } from "../../src/core/model.ts";
import type { Overrides } from "../../src/simulator/options.ts";
import type { Scene } from "./scene.ts";

export interface Plot {
  /** Its transcript's file, without the ending. */
  readonly file: string;
  /** The row's first cell. */
  readonly row: string;
  readonly bound: string;
  readonly over?: Overrides;
  readonly play: (scene: Scene) => void;
}

const master = (scene: Scene): Scene["simulation"]["daemons"][number] => scene.simulation.daemon("m1");
const spare = (scene: Scene): Scene["simulation"]["daemons"][number] => scene.simulation.daemon("s1");

function cutOffStore(scene: Scene, host: Scene["simulation"]["leader"], isCutOff: boolean): void {
  const { process } = host ?? {};
  if (process === undefined || process === null) return;
  if (isCutOff) scene.simulation.store.cutOff.add(process);
  else scene.simulation.store.cutOff.delete(process);
}

/** The files without this daemon. */
function without(model: ClusterModel, name: string): ClusterModel {
  const services: ServiceSpec[] = [];
  for (const service of model.services)
    services.push({ ...service, candidates: service.candidates.filter((candidate) => candidate !== name) });
  return { ...model, daemons: model.daemons.filter((daemon) => daemon.name !== name), services };
}

/** The files with every lease twice as long. */
function withLongerLeases(model: ClusterModel): ClusterModel {
  const services: ServiceSpec[] = [];
  for (const service of model.services) services.push({ ...service, leaseMs: service.leaseMs * 2 });
  return { ...model, services };
}

export const PLOTS: readonly Plot[] = [
  {
    file: "01-the-program-crashes",
    row: "the active program crashes under its launcher",
    bound: "a few round trips and one commit",
    play: (scene) => {
      scene.act("the program of m1 ends by itself", () => master(scene).exitWork()).pass(3000);
    },
  },
  {
    file: "02-it-is-asked-to-stop",
    row: "the active daemon gets SIGTERM",
    bound: "its own drain and a few round trips",
    play: (scene) => {
      scene.act("m1 gets SIGTERM", () => master(scene).stop()).pass(3000);
    },
  },
  {
    file: "03-its-host-dies",
    row: "host dies, hangs, or is cut off from the arbiter and its fellow candidates",
    bound: "lease × (1 + drift) and a round trip: 2.04 s",
    play: (scene) => {
      scene.act("the host of m1 loses its power", () => master(scene).powerOff()).pass(5000);
    },
  },
  {
    file: "04-its-host-is-cut-off",
    row: "host dies, hangs, or is cut off from the arbiter and its fellow candidates",
    bound: "lease × (1 + drift) and a round trip: 2.04 s",
    play: (scene) => {
      scene.act("m1 is cut off from a1 and s1", () => scene.cut("m1", ["a1", "s1"])).pass(5000);
      scene.act("the network is whole again", () => scene.simulation.network.healAll()).pass(3000);
    },
  },
  {
    file: "05-the-launcher-is-killed",
    row: "a launcher is killed",
    bound: "lease × (1 + drift) and a round trip: 2.04 s",
    play: (scene) => {
      scene.act("the launcher on m1 is killed; its guard kills the program", () =>
        master(scene).crash("kill -9"),
      );
      scene.pass(5000);
    },
  },
  {
    file: "06-it-says-that-it-is-unhealthy",
    row: "the active daemon says that it is unhealthy",
    bound: "max_check_attempts × interval: 1.5 s",
    play: (scene) => {
      scene.act("the program of m1 fails its health check", () => master(scene).setHealth(false)).pass(5000);
    },
  },
  {
    file: "07-the-master-comes-back",
    row: "the master comes back",
    bound: "failback_delay: 5 s, and 10 s after a second loss",
    play: (scene) => {
      scene.act("the host of m1 loses its power", () => master(scene).powerOff()).pass(5000);
      scene
        .act("it is back, and the launcher is started", () => {
          master(scene).powerOn();
          master(scene).start();
        })
        .pass(15_000);
    },
  },
  {
    file: "08-a-spare-dies",
    row: "a spare dies",
    bound: "nothing moves",
    play: (scene) => {
      scene
        .act("the host of s1 loses its power", () => spare(scene).powerOff())
        .pass(5000)
        .status();
    },
  },
  {
    file: "09-every-candidate-is-dead",
    row: "every candidate is dead",
    bound: "the first eligible one to return gets it",
    play: (scene) => {
      scene
        .act("the hosts of m1 and s1 lose their power", () => {
          master(scene).powerOff();
          spare(scene).powerOff();
        })
        .pass(10_000)
        .status();
      scene
        .act("s1 is back", () => {
          spare(scene).powerOn();
          spare(scene).start();
        })
        .pass(3000);
    },
  },
  {
    file: "10-the-leading-arbiter-dies",
    row: "the leading arbiter dies, another stands by",
    bound: "arbiter lease and a round trip; nobody stops working",
    over: { arbiters: 2 },
    play: (scene) => {
      const { leader } = scene.simulation;
      scene.act(`${leader?.name ?? ""} is killed while it leads`, () => leader?.crash("kill -9")).pass(6000);
    },
  },
  {
    file: "11-holder-and-leader-die-in-one-moment",
    row: "the holder and the leading arbiter die in one moment (one host)",
    bound: "arbiter lease, lease × (1 + drift) and a round trip: 4.5 s",
    over: { arbiters: 2 },
    play: (scene) => {
      const { leader } = scene.simulation;
      scene
        .act(`the host of m1 and ${leader?.name ?? ""} loses its power`, () => {
          master(scene).powerOff();
          leader?.crash("power");
        })
        .pass(8000);
    },
  },
  {
    file: "12-every-arbiter-dies",
    row: "every arbiter dies",
    bound: "no end; nobody stops working",
    play: (scene) => {
      const [arbiter] = scene.simulation.arbiters;
      scene.act("a1 is killed", () => arbiter?.crash("kill -9")).pass(600_000);
      scene.act("ten minutes later a1 is started", () => arbiter?.start()).pass(10_000);
    },
  },
  {
    file: "13-the-holder-is-cut-off-from-the-arbiter",
    row: "the holder is cut off from the arbiter, not from its fellow candidates",
    bound: "no end; nobody stops working",
    play: (scene) => {
      scene
        .act("m1 is cut off from a1 alone", () => scene.cut("m1", ["a1"]))
        .pass(600_000)
        .status();
      scene.act("ten minutes later the link is whole again", () => scene.simulation.network.healAll());
      scene.pass(5000);
    },
  },
  {
    file: "14-a-candidate-leaves-while-the-holder-is-in-failsafe",
    row: "a candidate leaves in good order while a holder is in failsafe",
    bound: "nobody stops working",
    play: (scene) => {
      const [arbiter] = scene.simulation.arbiters;
      scene.act("a1 is killed", () => arbiter?.crash("kill -9")).pass(10_000);
      scene.act("the machine of s1 is rebooted: s1 gets SIGTERM", () => spare(scene).stop()).pass(60_000);
      scene.act("a minute later s1 is started again", () => spare(scene).start()).pass(10_000);
      scene.act("a1 is started", () => arbiter?.start()).pass(5000);
    },
  },
  {
    file: "15-the-host-of-arbiter-and-spare-is-rebooted",
    row: "the only arbiter and the spare are on one host, which is rebooted in good order",
    bound: "nobody stops working",
    play: (scene) => {
      const [arbiter] = scene.simulation.arbiters;
      scene
        .act("a1 and s1 get SIGTERM", () => {
          spare(scene).stop();
          arbiter?.crash("SIGTERM");
        })
        .pass(60_000);
      scene
        .act("a minute later both are started again", () => {
          spare(scene).start();
          arbiter?.start();
        })
        .pass(5000);
    },
  },
  {
    file: "16-the-store-is-down",
    row: "the store is down",
    bound: "no end; leases are renewed, nothing fails over",
    play: (scene) => {
      scene
        .act("the store goes down", () => {
          scene.simulation.store.isDown = true;
        })
        .pass(60_000)
        .status();
      scene
        .act("the program of m1 ends by itself", () => master(scene).exitWork())
        .pass(10_000)
        .status();
      scene
        .act("the store is back", () => {
          scene.simulation.store.isDown = false;
        })
        .pass(5000);
    },
  },
  {
    file: "17-a-partition-splits-the-arbiters",
    row: "a partition splits the arbiters",
    bound: "arbiter lease; nobody stops working",
    over: { arbiters: 2 },
    play: (scene) => {
      const { leader, arbiters } = scene.simulation;
      const other = arbiters.find((one) => one !== leader);
      const text = `${leader?.name ?? ""} is cut off from everybody, and from the store`;
      scene.act(text, () => {
        scene.cut(leader?.name ?? "", ["m1", "s1", other?.name ?? ""]);
        cutOffStore(scene, leader, true);
      });
      scene.pass(8000);
      scene
        .act(`${leader?.name ?? ""} is back`, () => {
          scene.simulation.network.healAll();
          cutOffStore(scene, leader, false);
        })
        .pass(5000);
    },
  },
  {
    file: "18-the-holder-is-frozen-and-goes-on",
    row: "`kill -STOP` of the holder, later `-CONT`",
    bound: "at once: it must not do another piece of work",
    over: { isLaunched: false },
    play: (scene) => {
      const { process } = master(scene);
      scene.act("m1 is frozen (kill -STOP)", () => process?.pause()).pass(10_000);
      scene.act("m1 goes on (kill -CONT)", () => process?.resume()).pass(5000);
    },
  },
  {
    file: "19-two-daemons-claim-one-service",
    row: "two daemons claim one service (someone started one by hand)",
    bound: "the check interval",
    play: (scene) => {
      // What no rule can prevent: an operator who says that a living holder is dead.
      scene.simulation.oneHolder.check = () => {};
      scene.act("m1 is cut off from a1 alone, and goes on", () => scene.cut("m1", ["a1"])).pass(5000);
      const order = { verb: "failover", service: "m1", to: "s1", force: true, evenIfAlive: true } as const;
      scene.act("an operator: arbiter failover m1 --to s1 --force --even-if-alive", () =>
        scene.simulation.leader?.command(order, () => {}),
      );
      scene.pass(200);
      scene.act("the link is whole again", () => scene.simulation.network.healAll()).pass(3000);
    },
  },
  {
    file: "20-the-configuration-is-edited",
    row: "the configuration is edited",
    bound: "holders that it doesn't touch notice nothing",
    over: { spares: 2 },
    play: (scene) => {
      const { whole } = scene.simulation;
      scene
        .act("s2 is taken out of the files", () => scene.simulation.configure(without(whole, "s2")))
        .pass(3000);
      scene.act("s2 is put back", () => scene.simulation.configure(whole)).pass(3000);
      scene.act("every lease becomes twice as long", () =>
        scene.simulation.configure(withLongerLeases(whole)),
      );
      scene.pass(3000);
    },
  },
  {
    file: "24-what-left-the-files-while-its-holder-is-dead",
    row: "a service leaves the files while its holder is dead",
    bound: "as for a host that dies; then it is over, and whatever has its work under a new name begins",
    play: (scene) => {
      const { whole } = scene.simulation;
      scene.act("the host of m1 loses its power", () => master(scene).powerOff()).pass(100);
      scene.act("the service is taken out of the files", () =>
        scene.simulation.configure({ ...whole, services: [] }),
      );
      scene.pass(8000);
      scene.act("the service is put back", () => scene.simulation.configure(whole)).pass(3000);
    },
  },
  {
    file: "21-the-leader-alone-cant-reach-the-store",
    row: "the leader alone can't reach the store",
    bound: "two arbiter leases + one round trip; nobody stops working",
    over: { arbiters: 2 },
    play: (scene) => {
      const { leader } = scene.simulation;
      const name = leader?.name ?? "";
      scene.act(`${name} is cut off from the store, and from nobody else`, () =>
        cutOffStore(scene, leader, true),
      );
      scene.pass(10_000).status();
      scene.act(`${name} reaches the store again`, () => cutOffStore(scene, leader, false)).pass(5000);
    },
  },
];
