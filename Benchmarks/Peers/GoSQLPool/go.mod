module longwire/go-sql-pool

go 1.19
