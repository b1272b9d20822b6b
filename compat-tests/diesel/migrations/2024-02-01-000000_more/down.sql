DROP INDEX orders_by_customer;
ALTER TABLE customers DROP COLUMN born;
