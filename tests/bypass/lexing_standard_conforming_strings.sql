SET standard_conforming_strings TO off; SELECT '\'; DELETE FROM orders.daily; --';
