"""What the migrations end in."""
from django.db import models
from django.db.models.functions import Lower


class Maker(models.Model):
    title = models.CharField(max_length=100, unique=True)
    founded = models.DateField(null=True)


class Product(models.Model):
    maker = models.ForeignKey(Maker, on_delete=models.CASCADE, related_name="products")
    name = models.CharField(max_length=200, db_index=True)
    slug = models.SlugField(default="none")
    price = models.DecimalField(max_digits=10, decimal_places=2)
    stock = models.BigIntegerField(default=0)
    active = models.BooleanField(db_default=True)
    added = models.DateTimeField(auto_now_add=True)
    tags = models.JSONField(default=dict)
    related = models.ManyToManyField("self")

    class Meta:
        db_table = "shop_item"
        constraints = [
            models.CheckConstraint(condition=models.Q(price__gte=0), name="price_not_negative"),
            models.UniqueConstraint(fields=["maker", "name"], name="name_of_maker"),
        ]
        indexes = [
            models.Index(fields=["maker", "-price"], name="by_price"),
            models.Index(Lower("name"), name="by_lower_name"),
            models.Index(fields=["slug"], name="live_slug", condition=models.Q(active=True)),
        ]
