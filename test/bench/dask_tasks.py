"""No-op tasks a second through Dask distributed: one scheduler and worker processes on loopback.

`/usr/bin/python3 dask_tasks.py WORKERS TASKS BATCHES`: the median of so many batches, the first one apart, as JSON. A batch is
timed from its submit to the last result in the client's hands. (Not dask.py: the package would then import this file for its own.)
"""

import json
import statistics
import sys
import time

try:
    import distributed
except ImportError:
    print(json.dumps({"missing": True}))
    sys.exit(0)


def nothing(seed):
    return seed


def main():
    workers, tasks, batches = (int(argument) for argument in sys.argv[1:])
    cluster = distributed.LocalCluster(
        n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    )
    client = distributed.Client(cluster)
    speeds = []
    for batch in range(batches + 1):
        started = time.perf_counter()
        seeds = [f"{batch}-{task}" for task in range(tasks)]
        answers = client.gather(client.map(nothing, seeds, pure=False))
        assert answers == seeds
        speeds.append(tasks / (time.perf_counter() - started))
    print(json.dumps({"version": distributed.__version__, "perSecond": statistics.median(speeds[1:])}))
    client.close()
    cluster.close()


if __name__ == "__main__":
    main()
