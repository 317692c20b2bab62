"""From rounds to figures: medians, and medians of the ratios within each round."""

import statistics


def median(rounds, field):
    values = [entry[field] for entry in rounds if entry.get(field) is not None]
    return statistics.median(values) if values else None


def ratio(results, field, over, under):
    """The median over the rounds of `over`'s share of `under`: what slows a round slows both."""
    if over not in results or under not in results:
        return None
    pairs = zip(results[over], results[under])
    shares = [a[field] / b[field] for a, b in pairs if a.get(field) and b.get(field)]
    return statistics.median(shares) if shares else None


def shown(value, digits=1):
    return "-" if value is None else f"{value:,.{digits}f}"


def table(head, rows):
    """Columns as wide as what stands in them; the first to the left."""
    rows = [[str(cell) for cell in row] for row in [head, *rows]]
    widths = [max(len(row[at]) for row in rows) for at in range(len(head))]
    for row in rows:
        cells = [cell.ljust(width) if at == 0 else cell.rjust(width) for at, (cell, width) in enumerate(zip(row, widths))]
        print("  ".join(cells).rstrip(), flush=True)
    print(flush=True)
