from django.db import migrations, models
from django.db.models.functions import Lower
from django.utils import timezone


class Migration(migrations.Migration):
    dependencies = [("shop", "0002_data")]
    operations = [
        migrations.AlterField("Brand", "title", models.CharField(max_length=100, unique=True)),
        migrations.AddField("Brand", "founded", models.DateField(null=True)),
        migrations.AlterField("Product", "price", models.DecimalField(max_digits=10, decimal_places=2)),
        migrations.AlterField("Product", "stock", models.BigIntegerField(default=0)),
        migrations.AddField("Product", "slug", models.SlugField(default="none")),
        migrations.AddField("Product", "active", models.BooleanField(db_default=True)),
        migrations.AddField("Product", "added", models.DateTimeField(auto_now_add=True, default=timezone.now), preserve_default=False),
        migrations.AddField("Product", "tags", models.JSONField(default=dict)),
        migrations.AddField("Product", "note", models.TextField(null=True)),
        migrations.AlterField("Product", "note", models.TextField(default="")),
        migrations.AddConstraint("Product", models.CheckConstraint(condition=models.Q(price__gte=0), name="price_not_negative")),
        migrations.AddConstraint("Product", models.UniqueConstraint(fields=["brand", "name"], name="name_of_maker")),
        migrations.AddIndex("Product", models.Index(fields=["brand", "-price"], name="by_price")),
        migrations.AddIndex("Product", models.Index(Lower("name"), name="by_lower")),
        migrations.AddIndex("Product", models.Index(fields=["slug"], name="live_slug", condition=models.Q(active=True))),
    ]
