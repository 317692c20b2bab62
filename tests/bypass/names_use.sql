USE prod; DELETE FROM sandbox_orders.t;
