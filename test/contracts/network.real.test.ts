import { RealWorld } from "../support/network-world.ts";
import { networkContract } from "./network.ts";

networkContract(async () => new RealWorld());
