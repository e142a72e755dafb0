"""``kipuka profile``: run the samples, price the run, write the numbers and a report."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kipuka.commands.options import (
    COUNT_MAX,
    MISMATCH,
    ClampDelays,
    DataDir,
    Hardware,
    Json,
    Net,
    refuse_nan,
    write_numbers,
)
from kipuka.commands.paths import READS, WRITES, file_or_name, path_option
from kipuka.deploy.report import VERIFIED_SAMPLES

if TYPE_CHECKING:
    import numpy as np

    from kipuka.commands.inputs.samples import Samples
    from kipuka.convert.decisions import Decisions, PairedDifference
    from kipuka.convert.program import Program
    from kipuka.deploy.costs.advice import Advice
    from kipuka.deploy.costs.cost import Cost
    from kipuka.deploy.fast.recording import Record
    from kipuka.deploy.lowered.comparison import LoweredComparison, NotLowered
    from kipuka.deploy.reference import Simulation
    from kipuka.deploy.report.page import ReportContents
    from kipuka.deploy.report.tables import Compared
    from kipuka.deploy.verification import Verification
    from kipuka.hardware_profiles import HardwareProfile


def profile(
    net: Net,
    hardware: Hardware = "loihi2",
    data: Annotated[
        str | None,
        typer.Option(
            metavar="X.npy|X.npz|NAME|PATH",
            callback=file_or_name("--data"),
            help="Array, events (with labels, if you like), own data as for training, or a data "
            "set's name. Of what the network was trained on, the test part.",
        ),
    ] = None,
    data_dir: DataDir = None,
    samples: Annotated[
        int | None, typer.Option(min=1, max=COUNT_MAX, help="Take only so many samples.")
    ] = None,
    report: Annotated[
        Path | None,
        path_option(
            "--report", WRITES, metavar="FILE.html", help="Write a report as one HTML file."
        ),
    ] = None,
    cores: Annotated[
        int | None,
        typer.Option(min=1, max=COUNT_MAX, help="Spread over so many cores, not over the fewest."),
    ] = None,
    host_input: Annotated[
        bool,
        typer.Option(
            "--host-input", help="Spikes come from a program on the host, and are not preloaded."
        ),
    ] = False,
    advise: Annotated[
        bool, typer.Option("--advise", help="Try and price changes that save energy or time.")
    ] = False,
    compare: Annotated[
        Path | None,
        path_option("--compare", READS, metavar="B.net", help="Show a second network beside this."),
    ] = None,
    verify: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=COUNT_MAX,
            help="Compare backends on so many samples first; 0 for none. "
            f"With --report {VERIFIED_SAMPLES} if not given.",
        ),
    ] = None,
    step_ms: Annotated[
        float | None,
        typer.Option(
            min=1e-6,
            max=1e6,
            callback=refuse_nan,
            help="Milliseconds that a step stands for, if the file does not say; for real time.",
        ),
    ] = None,
    clamp_delays: ClampDelays = False,
    json_file: Json = None,
) -> int:
    """Estimate energy and time of a network on a chip.

    Without --data, on the file's golden vectors. Before a report is written, the backends that
    take little time are compared on the first samples; exit status 1 on a mismatch.
    """
    from kipuka.commands.inputs.samples import open_network

    program = open_network(net, clamp_delays=clamp_delays)
    second = None
    if compare is not None:
        second = (compare, open_network(compare, clamp_delays=clamp_delays))
    if verify is None:
        verify = 0 if report is None else VERIFIED_SAMPLES
    step_s = None if step_ms is None else step_ms / 1000
    question = Question(hardware, data, data_dir, samples, cores, host_input, verify, step_s)
    outputs = {"report": report, "json_file": json_file}
    found = profile_file(net, program, question, advice=advise, second=second, **outputs)
    _print_next(net, program, question, report, found)
    compared = found["verification"]
    return 0 if compared is None or not compared["mismatches"] else MISMATCH


def _print_next(
    net: Path, program: Program, question: Question, report: Path | None, found: dict[str, Any]
) -> None:
    """Say where the report is and how to go on to a chip; without a report, how to have one."""
    from kipuka.commands.console import print_line, print_next
    from kipuka.commands.tables.next_steps import report_words
    from kipuka.convert.formats.net.file import load_golden

    if report is None:
        print_next(report_words(net, program, question.data, question.data_dir))
        return
    print_line(f"report: {report}, to be opened in a browser", wrap=False)
    if "not_lowered" not in found["without_microcode"]["lowered"]:
        words = ["kipuka", "deploy", str(net), "--target", "loihi2", "--dry-run"]
        given_again = [] if question.data is None or load_golden(net) else ["--data", question.data]
        print_next([*words, *given_again])


@dataclasses.dataclass(frozen=True)
class Question:
    """What is to be profiled.

    Attributes
    ----------
    hardware : str
        Name or file of a hardware profile.
    data : str or None
        As in `kipuka.commands.inputs.samples.labelled_samples`.
    data_dir : Path or None
    first : int or None
        Samples, if not all.
    cores : int or None
        Neuro cores to spread over, if not the fewest.
    host_input : bool
        Whether spikes come from a program on the host in each step.
    verified : int
        Of the samples, the first that backends are compared on; none is 0.
    step_s : float or None
        Time that a step stands for, if not what the network's file says.
    """

    hardware: str = "loihi2"
    data: str | None = None
    data_dir: Path | None = None
    first: int | None = None
    cores: int | None = None
    host_input: bool = False
    verified: int = 0
    step_s: float | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Priced:
    """A network that was run and priced; decisions are None of samples without classes."""

    program: Program
    samples: Samples
    simulation: Simulation
    cost: Cost
    decisions: Decisions | None

    @property
    def accuracy(self) -> float | None:
        """Fraction of samples that are decided right."""
        return None if self.decisions is None else self.decisions.accuracy

    def beside(self, other: Priced) -> PairedDifference | None:
        """Return the change of accuracy to another network; None without the same labels."""
        import numpy as np

        from kipuka.convert.decisions import compare_decisions

        first, second = self.decisions, other.decisions
        if first is None or second is None or not np.array_equal(first.labels, second.labels):
            return None
        return compare_decisions(first, second)


@dataclasses.dataclass(frozen=True, eq=False)
class Answer:
    """What is known of a network and, if there is one, of the second network beside it."""

    hardware: HardwareProfile
    own: Priced
    lowered: LoweredComparison | NotLowered
    changes: tuple[Advice, ...] | None
    second: tuple[Path, Priced] | None
    compared: tuple[Compared, ...]
    changes_from: str = ""
    verification: Verification | None = None
    step_s: float | None = None
    second_lowered: LoweredComparison | NotLowered | None = None


def profile_file(
    net: Path,
    program: Program,
    question: Question,
    *,
    advice: bool = False,
    second: tuple[Path, Program] | None = None,
    report: Path | None = None,
    json_file: Path | None = None,
) -> dict[str, Any]:
    """Cost of a network file on a chip, per sample; `second` is another one beside it."""
    from kipuka.deploy.report.page import write_report
    from kipuka.deploy.report.question import step_s as known_step_s

    answer = _answer(net, program, question, advice, second)
    verification = _verified(program, answer.own.samples.values[: question.verified])
    step_s = question.step_s or known_step_s(program)
    answer = dataclasses.replace(answer, verification=verification, step_s=step_s)
    values = _numbers(answer)
    write_numbers(json_file, values)
    if report is not None:
        write_report(report, _contents(_title(net, program), answer))
    _print(answer)
    return values


def _answer(
    net: Path,
    program: Program,
    question: Question,
    advice: bool,
    second: tuple[Path, Program] | None,
) -> Answer:
    """Run and price everything that was asked for."""
    from kipuka.deploy.lowered.comparison import without_microcode
    from kipuka.deploy.report.tables import Compared
    from kipuka.hardware_profiles import load_profile

    hardware = load_profile(question.hardware)
    own = _priced(net, program, question, hardware)
    lowered = without_microcode(program, own.samples.values, hardware)
    changes, source = None, ""
    if advice:
        evaluated = _evaluated(net, own, question, hardware)
        changes = _advised(evaluated, question, hardware)
        changes += _advised_lowered(evaluated, own, hardware, lowered)
        source = f"{len(evaluated.samples.values):,} samples, {evaluated.samples.source}"
    if second is None:
        return Answer(hardware, own, lowered, changes, None, (), source)
    other = _priced(*second, question, hardware)
    pair = zip(_names_apart(net, second[0]), (own, other), strict=True)
    compared = tuple(Compared(name, one.cost, one.accuracy) for name, one in pair)
    found = Answer(hardware, own, lowered, changes, (second[0], other), compared, source)
    beside = without_microcode(other.program, other.samples.values, hardware)
    return dataclasses.replace(found, second_lowered=beside)


def _verified(program: Program, inputs: np.ndarray) -> Verification | None:
    """Compare the backends that are installed and take little time; None if one at most can run."""
    from kipuka.commands.backends import compare_backends, obstacles, quick_backends

    if not len(inputs):
        return None
    names = quick_backends()
    refused = obstacles(names, program, inputs.shape[-1])
    able = [name for name in names if name not in refused]
    return None if len(able) < 2 else compare_backends(able, program, inputs).verification


def _numbers(answer: Answer) -> dict[str, Any]:
    from kipuka.commands.tables.costs import (
        advice_numbers,
        processor_numbers,
        profile_numbers,
        real_time_numbers,
    )
    from kipuka.commands.tables.lowered_form import lowered_numbers
    from kipuka.commands.tables.verification import verification_numbers
    from kipuka.deploy.costs.neurobench import neurobench

    own = answer.own
    values = profile_numbers(own.cost, own.simulation)
    values |= real_time_numbers(own.cost, answer.hardware, answer.step_s)
    values["accuracy"] = own.accuracy
    values["decisions"] = None if own.decisions is None else own.decisions.numbers()
    values["samples_from"] = own.samples.source
    values["neurobench"] = dataclasses.asdict(neurobench(own.program, own.simulation.counters))
    values["on_processors"] = processor_numbers(own.program, own.simulation)
    values["without_microcode"] = lowered_numbers(answer.lowered)
    found = answer.verification
    values["verification"] = None if found is None else verification_numbers(found)
    if answer.changes is not None:
        values["advice"] = advice_numbers(answer.changes)
        values["advice_from"] = answer.changes_from
    if answer.second is not None:
        path, other = answer.second
        numbers = profile_numbers(other.cost, other.simulation)
        values["compare"] = {"network": str(path), **numbers, "accuracy": other.accuracy}
        change = own.beside(other)
        values["compare"]["difference"] = None if change is None else change.numbers()
        if answer.second_lowered is not None:
            values["compare"]["without_microcode"] = lowered_numbers(answer.second_lowered)
    return values


def _print(answer: Answer) -> None:
    from kipuka.commands.console import print_line
    from kipuka.commands.tables import costs
    from kipuka.commands.tables.accuracy import beside_text
    from kipuka.commands.tables.lowered_form import print_both_lowered, print_lowered
    from kipuka.commands.tables.verification import print_verification
    from kipuka.deploy.lowered.lowering import needs_microcode

    own = answer.own
    costs.print_profile(own.cost, answer.hardware, answer.step_s)
    costs.print_mapping(own.cost, fused=needs_microcode(own.program))
    print_lowered(answer.lowered, answer.hardware.name, len(own.samples.values))
    if own.decisions is not None:
        print_line(
            f"accuracy of the integer network: {own.decisions.text()} on {own.samples.source}; "
            f"{beside_text(own.decisions.chance, None)}"
        )
        if own.decisions.groups_text:
            print_line(own.decisions.groups_text)
    if answer.verification is not None:
        print_verification(answer.verification)
    if answer.changes is not None:
        costs.print_advice(answer.changes, answer.changes_from)
    if answer.compared:
        costs.print_comparison(answer.compared)
    change = answer.second and own.beside(answer.second[1])
    if change:
        print_line(f"accuracy from the first network to the second: {change.text()}")
    if answer.second_lowered is not None:
        pair = (answer.lowered, answer.second_lowered)
        print_both_lowered([one.name for one in answer.compared], pair, answer.hardware.name)


def _names_apart(net: Path, other: Path) -> tuple[str, str]:
    """File names, with as many folders before them as tell the two files apart.

    Examples
    --------
    >>> _names_apart(Path("runs/a/model.net"), Path("runs/b/model.net"))
    ('a/model.net', 'b/model.net')
    """
    one, two = net.absolute().parts, other.absolute().parts
    for length in range(1, max(len(one), len(two))):
        names = "/".join(one[-length:]), "/".join(two[-length:])
        if names[0] != names[1]:
            return names
    return net.name, other.name


def _priced(
    net: Path,
    program: Program,
    question: Question,
    hardware: HardwareProfile,
    samples: Samples | None = None,
) -> Priced:
    """Run and price a network on the samples in question, or on others."""
    from kipuka.commands.console import progress_bar
    from kipuka.commands.inputs.samples import labelled_samples
    from kipuka.convert.decisions import Decisions
    from kipuka.deploy.costs.cost import profile as price
    from kipuka.deploy.fast.simulator import simulate

    if samples is None:
        samples = labelled_samples(net, program, question.data, question.data_dir, question.first)
    with progress_bar(f"simulating {net.name}", unit="steps") as advance:
        simulation = simulate(program, samples.values, record=_record(program), progress=advance)
    cost = price(
        program,
        samples.values,
        simulation,
        hardware,
        cores=question.cores,
        host_input=question.host_input,
    )
    found = None
    if samples.labels is not None:
        last = simulation.trace.layers[-1]
        found = Decisions.of(program, last, samples.labels, group_of=samples.groups)
    return Priced(program, samples, simulation, cost, found)


def _record(program: Program) -> Record:
    """Record of costs, decisions and the first layer's membranes, which a report draws."""
    from kipuka.deploy.costs.advice import record_for_advice
    from kipuka.deploy.fast.recording import Record
    from kipuka.deploy.reference import state_names

    states = record_for_advice(program).states or ()
    first = tuple((0, name) for name in state_names(program.layers[0]))
    return Record(states=(*states, *first))


def _evaluated(net: Path, own: Priced, question: Question, hardware: HardwareProfile) -> Priced:
    """Run the network on the samples of the advice: the validation part where there is one.

    What a change costs of the accuracy chooses between changes: the test part must not.
    """
    from kipuka.commands.inputs.samples import validation_samples

    others = validation_samples(own.program, question.data, question.data_dir, question.first)
    return own if others is None else _priced(net, own.program, question, hardware, others)


def _advised(
    evaluated: Priced, question: Question, hardware: HardwareProfile
) -> tuple[Advice, ...]:
    """Try changes of the network with microcode."""
    from kipuka.deploy.costs.advice import advise

    samples = evaluated.samples
    return advise(
        evaluated.program,
        samples.values,
        evaluated.simulation,
        hardware,
        evaluated.cost,
        question.cores,
        samples.labels,
    )


def _advised_lowered(
    evaluated: Priced,
    own: Priced,
    hardware: HardwareProfile,
    lowered: LoweredComparison | NotLowered,
) -> tuple[Advice, ...]:
    """Try what training for a chip without microcode would save on the same samples."""
    from kipuka.deploy.lowered.advice import advise_lowered
    from kipuka.deploy.lowered.comparison import LoweredComparison, without_microcode

    values, labels = evaluated.samples.values, evaluated.samples.labels
    if evaluated is not own:
        lowered = without_microcode(evaluated.program, values, hardware)
    if not isinstance(lowered, LoweredComparison):
        return ()
    return advise_lowered(evaluated.program, values, hardware, lowered, labels)


def _title(net: Path, program: Program) -> str:
    """What a report is of: the file, and which network was trained on what."""
    from kipuka.deploy.report.question import trained_on

    network, data = trained_on(program)
    return f"{network} on {data}: {net.name}" if network and data else net.name


def _contents(title: str, answer: Answer) -> ReportContents:
    from kipuka.deploy.report.page import ReportContents

    own = answer.own
    return ReportContents(
        title=title,
        program=own.program,
        inputs=own.samples.values,
        simulation=own.simulation,
        profiles=((own.cost, answer.hardware),),
        verification=answer.verification,
        accuracy={} if own.accuracy is None else {"fast": own.accuracy},
        delays_before=None,
        seconds={},
        lowered=answer.lowered,
        advice=answer.changes,
        compared=answer.compared,
        decisions=own.decisions,
        advice_from=answer.changes_from,
        samples_from=own.samples.source,
        step_s=answer.step_s,
    )
