UPDATE ONLY orders.daily AS d SET total = 0 FROM sandbox_orders.t AS t WHERE t.day = d.day;
