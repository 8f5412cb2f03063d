import type { Command } from "commander";
import type { World } from "../world.ts";

/** Gets the command's arguments, its options, and the world; answers with the exit code. */
export type Answer = (...args: never[]) => Promise<number>;

/** Adds one command to the program, or to a group of commands. */
export type AddCommand = (usage: string, says: string, answer: Answer) => Command;

/** What the commands need of the run they are part of. */
export interface Run {
  world: World;
  end: (exitCode: number) => void;
}

/** A way to add commands to the program, or to one that is a group of them. */
export function commandsOf(parent: Command, { world, end }: Run): AddCommand {
  return (usage, says, answer) => {
    // Commander hands over the arguments, the command's own options, and the command, which knows the options of all.
    const act = async (...args: unknown[]): Promise<void> => {
      const own = args.pop() as Command;
      args.splice(-1, 1, own.optsWithGlobals(), world);
      end(await answer(...(args as never[])));
    };
    return parent.command(usage).description(says).action(act);
  };
}

/** For an option that may be given again. */
export const several = (value: string, before: string[] = []): string[] => [...before, value];
