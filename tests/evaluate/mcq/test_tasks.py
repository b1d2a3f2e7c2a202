"""lm-evaluation-harness, run offline on the folder, gives every item the answer that Dateline gives."""

import json

import pytest
import yaml

from dateline.benchmark.questions import read_questions
from dateline.errors import UserError
from dateline.evaluate.mcq.ask import ask, encode_prompts, prefix_texts, question_conditions
from dateline.evaluate.mcq.run import task_name, tasks_stage
from dateline.evaluate.recipe import Mcq
from dateline.manifest import read_manifest
from dateline.model.load import load_subject

CONDITIONS = ("gold", "none", "wrong")
ITEMS = [
    {"question": "What is the capital?", "options": ["Abuja", "Lagos", "São Tomé", "London"], "answer": "Abuja",
     "country": "ng"},
    {"question": "Who plays?", "options": ["the team of the city", "court", "₦500 – the river", "naïve"],
     "answer": "court", "country": "pk"},
    {"question": "What said the court?", "options": ["vote", "“a river”", "城市 city", "Café"], "answer": "Café",
     "country": "gb"},
    {"question": "Which river?", "options": ["Thames", "Indus", "Niger", "Ganges"], "answer": "Indus", "country": "pk"},
]  # fmt: skip


@pytest.fixture(scope="module")
def question_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("questions") / "four.jsonl"
    path.write_text("".join(json.dumps(item) + "\n" for item in ITEMS), encoding="utf-8")
    return path


@pytest.fixture(scope="module", params=["llama", "gpt2"])
def model(request):
    return request.getfixturevalue(request.param)


def write_tasks(model, file, out, **options):
    return tasks_stage(model, Mcq(questions=str(file), **options), out).make(out)


def harness(folder, tasks, subject, cache):
    """Every document's answer and log-probabilities by lm_eval: task -> list of samples in the order of the file."""
    import datasets
    from lm_eval import simple_evaluate
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets.config, "HF_DATASETS_CACHE", cache)
        patch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
        found = simple_evaluate(
            model=HFLM(pretrained=str(subject.folder), device="cpu", dtype="float32", batch_size=4),
            tasks=tasks,
            task_manager=TaskManager(include_path=str(folder), include_defaults=False),
            log_samples=True,
            bootstrap_iters=0,
        )
    samples = {task: sorted(rows, key=lambda row: row["doc_id"]) for task, rows in found["samples"].items()}
    return samples, found["results"]


def test_both_give_the_same_answers(model, question_file, tmp_path):
    manifest = write_tasks(model, question_file, tmp_path / "tasks", conditions=CONDITIONS)
    assert set(manifest.facts["prompts_tokenized_otherwise_by_lm_eval"].values()) == {0}
    subject = load_subject(model, device="cpu")
    questions = read_questions(question_file)
    asked = ask(subject, questions, question_conditions(CONDITIONS, subject.fields), Mcq(questions=""), "a")
    tasks = [task_name(form, condition) for form in ("cloze", "letter") for condition in CONDITIONS]
    samples, results = harness(tmp_path / "tasks", tasks, subject, tmp_path / "cache")
    for answers in asked.answers:
        rows = samples[task_name(answers.form, answers.condition)]
        metric = "acc_bytes" if answers.form == "cloze" else "acc"
        turns = len(rows) // len(questions)
        theirs = [sum(row[metric] for row in rows[at : at + turns]) / turns for at in range(0, len(rows), turns)]
        assert theirs == answers.points
        accuracy = results[task_name(answers.form, answers.condition)][f"{metric},none"]
        assert accuracy == pytest.approx(sum(answers.points) / len(questions))
        if answers.form == "cloze":
            for question, costs, row in zip(questions, answers.costs, rows, strict=True):
                nats = [cost * len(option.encode()) for cost, option in zip(costs, question.options, strict=True)]
                assert [-logp for logp, _ in row["filtered_resps"]] == pytest.approx(nats, abs=1e-3)


def test_lm_eval_reads_the_tokens_of_dateline_with_one_bos(llama, question_file, tmp_path):
    from lm_eval.models.huggingface import HFLM

    write_tasks(llama, question_file, tmp_path / "tasks", conditions=("gold",))
    subject, questions = load_subject(llama, device="cpu"), read_questions(question_file)
    assert subject.tokenizer("x")["input_ids"][0] == subject.bos  # the tokenizer adds BOS to any other text by itself
    (gold,) = question_conditions(["gold"], subject.fields)
    prefixes = prefix_texts(subject, questions, gold, 0)
    prompts = encode_prompts(subject, questions, prefixes, "question")
    reader = HFLM(pretrained=str(subject.folder), device="cpu", dtype="float32")
    lines = (tmp_path / "tasks" / "cloze_gold.jsonl").read_text(encoding="utf-8").splitlines()
    for at, document in enumerate(map(json.loads, lines)):
        assert prefixes[at]
        head = [subject.bos, *prompts.prefixes[prefixes[at]].tolist(), *prompts.cloze[at].tolist()]
        assert head.count(subject.bos) == 1
        for option, text in enumerate(document["choices"]):
            context, continuation = reader._encode_pair(document["context"], f" {text}")
            assert context == head
            assert continuation == prompts.options[at][option].tolist()


def test_prompts_that_lm_eval_reads_otherwise_are_counted(llama, tmp_path):
    item = {"question": "What does <eos> mean?", "options": ["end", "start"], "answer": "end", "country": "ng"}
    (tmp_path / "q.jsonl").write_text("".join(json.dumps(one) + "\n" for one in [*ITEMS, item]), encoding="utf-8")
    manifest = write_tasks(llama, tmp_path / "q.jsonl", tmp_path / "tasks", conditions=("none",))
    counted = manifest.facts["prompts_tokenized_otherwise_by_lm_eval"]
    assert counted == {"cloze_none": 1, "letter_none": 2}


def test_documents_are_ready_to_read_and_tasks_name_them(llama, question_file, tmp_path):
    out = tmp_path / "tasks"
    write_tasks(llama, question_file, out, conditions=("gold", "swap:ke"), fields=("country",), layout="article")
    assert sorted(path.name for path in out.iterdir()) == [
        "cloze_gold.jsonl", "cloze_gold.yaml", "cloze_swap_ke.jsonl", "cloze_swap_ke.yaml", "letter_gold.jsonl",
        "letter_gold.yaml", "letter_swap_ke.jsonl", "letter_swap_ke.yaml", "manifest.json",
    ]  # fmt: skip
    task = yaml.safe_load((out / "cloze_gold.yaml").read_text())
    assert task["task"] == "dateline_mcq_cloze_gold"
    assert task["dataset_kwargs"]["data_files"]["test"] == str(out.resolve() / "cloze_gold.jsonl")
    first = json.loads((out / "cloze_gold.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert first["context"] == "<bos>COUNTRY: ng\nTITLE: What is the capital?\n\nCONTENT:"
    assert first["choices"][first["gold"]] == "Abuja"
    letters = [json.loads(line) for line in (out / "letter_swap_ke.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(letters) == 16
    for document in letters:
        answer = next(item["answer"] for item in ITEMS if item["question"] in document["context"])
        assert f"{document['choices'][document['gold']]}. {answer}\n" in document["context"]
        assert document["context"].startswith("<bos>COUNTRY: ke\n")
    assert read_manifest(out).counts["letter_gold"] == 16


def test_nothing_is_left_where_a_name_is_wrong(llama, question_file, tmp_path):
    with pytest.raises(UserError, match="unknown condition 'silver'"):
        write_tasks(llama, question_file, tmp_path / "tasks", conditions=("silver",))
    assert list(tmp_path.iterdir()) == []
