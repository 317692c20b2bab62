//! EXPLAIN's text to numbers. Pure.

use std::str;

/// The total cost in the first line of a plan, from the body of its DataRow (one text column).
///
/// PostgreSQL and Redshift write `… (cost=0.00..431.50 rows=10 width=4)`, in the planner's units; the
/// second number is the whole statement's.
pub fn plan_cost(row: &[u8]) -> Option<f64> {
    let line = row.get(6..)?;
    total_cost(str::from_utf8(line).ok()?)
}

/// The total cost in a line of EXPLAIN.
pub fn total_cost(line: &str) -> Option<f64> {
    let (_, after) = line.rsplit_once("(cost=")?;
    let (range, _) = after.split_once(' ')?;
    let (_, total) = range.split_once("..")?;
    total.parse().ok().filter(|cost: &f64| cost.is_finite() && *cost >= 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_of_a_plan_is_the_second_number_of_its_first_line() {
        let line = "XN Hash Join DS_BCAST_INNER  (cost=112.50..3272334142.59 rows=170771 width=84)";
        assert_eq!(total_cost(line), Some(3_272_334_142.59));
        assert_eq!(total_cost("Insert on t  (cost=0.00..1.50 rows=0 width=0)"), Some(1.5));
    }

    #[test]
    fn a_line_without_cost_gives_none() {
        for line in ["", "Utility statement", "(cost=)", "(cost=1..x rows=1)", "(cost=1..NaN rows=1)"] {
            assert_eq!(total_cost(line), None, "{line}");
        }
    }

    #[test]
    fn a_name_that_looks_like_a_cost_does_not_count() {
        let line = "Seq Scan on \"(cost=0..0 rows=0\"  (cost=0.00..9.00 rows=1 width=4)";
        assert_eq!(total_cost(line), Some(9.0));
    }
}
