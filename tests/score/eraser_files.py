"""A small ERASER directory and its predictions, written field by field."""

import json


def evidence(docid, start, end, sentences=(-1, -1)):
    span = {"text": "...", "docid": docid, "start_token": start, "end_token": end}
    return span | dict(zip(("start_sentence", "end_sentence"), sentences, strict=True))


def annotation(name, label, *evidences, **fields):
    row = {"annotation_id": name, "query": "", "classification": label}
    return row | {"evidences": [[one] for one in evidences]} | fields


def rationale(docid, *spans, **fields):
    hard = [{"start_token": start, "end_token": end} for start, end in spans]
    return {"docid": docid, "hard_rationale_predictions": hard} | fields


def prediction(name, *rationales, **fields):
    return {"annotation_id": name, "rationales": list(rationales)} | fields


def classes(label, full, without, only):
    """Class fields of a row with labels NEG and POS; numbers are the probability of POS."""
    of = {
        "classification_scores": full,
        "comprehensiveness_classification_scores": without,
        "sufficiency_classification_scores": only,
    }
    return {"classification": label} | {k: {"NEG": 1 - p, "POS": p} for k, p in of.items()}


def write_lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def write_directory(folder, documents, rows, *, split="test", listed=False):
    folder.mkdir(parents=True, exist_ok=True)
    if listed:
        listing = [{"docid": docid, "document": text} for docid, text in documents.items()]
        write_lines(folder / "docs.jsonl", listing)
    else:
        (folder / "docs").mkdir(exist_ok=True)
        for docid, text in documents.items():
            (folder / "docs" / docid).write_text(text, encoding="utf-8")
    write_lines(folder / f"{split}.jsonl", rows)
    return folder
