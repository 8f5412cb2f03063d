/** What a segment's stages do, worked out once: which ports are wanted, and when a value may be let go. */
import type { CompiledStage, Segment, Source } from "../../../../shared/pipeline/compiled.ts";
import { listsToldBy, sourceKey, sourcesOf } from "../../../../shared/pipeline/segment.ts";
import { type PortType, parseType } from "../../../../shared/pipeline/types.ts";

export interface StagePlan {
  place: number;
  stage: CompiledStage;
  isMapped: boolean;
  /** By port given that somebody takes, or of which somebody has to know the length: the type of one run. */
  gives: ReadonlyMap<string, PortType>;
  /** Keys that nobody needs behind this stage. */
  lettingGo: string[];
}

export interface SegmentPlan {
  segment: Segment;
  stages: StagePlan[];
  /** Keys of the lists whose lengths it tells. */
  told: string[];
  /** Of what it gives: by key of a list, the key of the one whose elements its own belong to. */
  inStep: ReadonlyMap<string, string>;
}

export function planOf(segment: Segment): SegmentPlan {
  const { pipeline, stages, gives, isLast } = segment;
  const told = listsToldBy(segment).map(sourceKey);
  const wanted = new Set([...pipeline.stages.flatMap(sourcesOf), ...Object.values(pipeline.outputs)].map(sourceKey));
  const kept = new Set([...(isLast ? Object.values(pipeline.outputs) : gives).map(sourceKey), ...told]);
  return {
    segment,
    told,
    inStep: new Map(gives.flatMap((source) => stepOf(pipeline.stages[source.stage], source))),
    stages: stages.map((place, n) => {
      const stage = pipeline.stages[place]!;
      const later = new Set(stages.slice(n + 1).flatMap((one) => sourcesOf(pipeline.stages[one]!).map(sourceKey)));
      const here = Object.keys(stage.gives).map((port) => sourceKey({ stage: place, port }));
      const candidates = [...sourcesOf(stage).map(sourceKey), ...here];
      return {
        place,
        stage,
        isMapped: stage.map.length > 0,
        gives: wantedPorts(stage, place, new Set([...wanted, ...told])),
        lettingGo: candidates.filter((key) => !later.has(key) && !kept.has(key)),
      };
    }),
  };
}

function stepOf(stage: CompiledStage | undefined, source: Source): [string, string][] {
  return stage?.over ? [[sourceKey(source), sourceKey(stage.over)]] : [];
}

/** All of a stage that nobody takes from: it was asked to run. */
function wantedPorts(stage: CompiledStage, place: number, wanted: ReadonlySet<string>): Map<string, PortType> {
  const all = Object.entries(stage.gives).map(([port, type]): [string, PortType] => [port, parseType(type)]);
  const taken = all.filter(([port]) => wanted.has(sourceKey({ stage: place, port })));
  return new Map(taken.length > 0 ? taken : all);
}
