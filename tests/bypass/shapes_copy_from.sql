COPY orders.daily FROM STDIN;
