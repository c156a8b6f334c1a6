"""``foveola compare``: fit every arm on identical splits, seeds and batches, and compare."""

from __future__ import annotations

from foveola.cli import options

EXAMPLES = """[bold]Examples[/bold]

foveola compare --data scans/ --arm plain --arm global --workers 2

foveola compare --data scans/ --arm plain --arm global --dry-run

foveola compare --data oct.csv --label md --bins -12,-6 --arm plain --arm l1-fair --arm global --protocol holdout

foveola compare --data scans/ --arm plain --arm global --train-sizes 50,100,200,400 --seeds 5

foveola compare --config runs/scans/run.yaml --out again"""


def command(
    data: options.Data = None,
    arms: options.Arms = None,
    label: options.Label = None,
    bins: options.Bins = None,
    image_size: options.ImageSize = None,
    split_file: options.SplitFile = None,
    protocol: options.ProtocolName = None,
    folds: options.Folds = None,
    repeats: options.Repeats = None,
    seeds: options.Seeds = None,
    train_sizes: options.TrainSizes = None,
    metric: options.Metric = None,
    metrics: options.Metrics = None,
    space: options.SpaceOption = None,
    trials: options.Trials = None,
    backbone: options.Backbone = None,
    pretrained: options.Pretrained = None,
    weights: options.Weights = None,
    pixel_memory: options.PixelMemory = None,
    epochs: options.Epochs = None,
    cutoff: options.Cutoff = None,
    batch_size: options.BatchSize = None,
    lr: options.LearningRate = None,
    device: options.Device = None,
    workers: options.Workers = None,
    threads: options.Threads = None,
    cluster: options.Cluster = None,
    assignments: options.Assignments = None,
    config: options.ConfigFile = None,
    dry_run: options.DryRun = False,
    out: options.Out = None,
) -> None:
    """Fit arms on identical splits, seeds and batches, and say which is better.

    Writes a run folder with every prediction, result and map. The same command goes on where it was stopped; given
    again while it runs, here or on another machine that sees the folder, it helps.
    """
    chosen = options.given(locals())
    from rich.console import Console

    from foveola.cli.progress import bars
    from foveola.cli.tables import print_comparison, print_forecast
    from foveola.comparison import compare
    from foveola.comparison.compare import load_data
    from foveola.comparison.forecast import forecast
    from foveola.protocol import read_configuration
    from foveola.protocol.run.run_folder import default_folder

    configuration = read_configuration(config, chosen, assignments or ())
    folder = out or default_folder(configuration)
    if dry_run:
        with bars() as shown:
            configuration, loaded, _ = load_data(configuration, shown.report)
            expected = forecast(configuration, loaded, folder, shown.report)
        print_forecast(expected, configuration, workers or 1, Console())
        return
    with bars() as shown:
        result = compare(
            configuration,
            folder,
            progress=shown.report,
            executor=options.executor(workers, threads, cluster),
            watch=shown.job,
        )
    print_comparison(result, Console())
